/* exec MODE: replace the program with itself.
   self ARGS...    from the only thread
   thread ARGS...  from a thread that is not the leader, while others wait
   done ARGS...    print the arguments and end with status 3  */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char **args;

void before_exec(void)
{
}

void after_exec(void)
{
}

static void again(void)
{
	before_exec();
	args[1] = "done";
	execv("/proc/self/exe", args);
	perror("execv");
	_exit(1);
}

static void *bystander(void *arg)
{
	pause();
	return arg;
}

static void *replacer(void *arg)
{
	again();
	return arg;
}

int main(int argc, char **argv)
{
	args = argv;
	if (argc > 1 && strcmp(argv[1], "self") == 0)
		again();
	if (argc > 1 && strcmp(argv[1], "thread") == 0) {
		pthread_t id;
		for (int i = 0; i < 3; i++)
			if (pthread_create(&id, NULL, bystander, NULL) != 0)
				return 1;
		if (pthread_create(&id, NULL, replacer, NULL) != 0)
			return 1;
		pthread_join(id, NULL);
		return 1;
	}
	after_exec();
	for (int i = 2; i < argc; i++)
		printf("arg %s\n", argv[i]);
	fflush(stdout);
	return 3;
}
