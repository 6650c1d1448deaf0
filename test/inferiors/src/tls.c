/* tls: thread-local variables of the program, of a library that it is linked
   with and of one that it loads while it runs, beside the program, in the main
   thread and in another. Each thread leaves the addresses that it sees itself
   in the variables that begin with "its_".  */
#include <dlfcn.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct wide {
	_Alignas(64) int value;
};

__thread int own = 11;
__thread struct wide wide = {22};
static __thread long zeroed;

struct seen {
	int *own, *wide;
	long *zeroed;
};
struct seen its_main, its_worker;
pthread_t its_handle;

#ifdef LIBRARIES
int *linked_address(void);
int *(*plugin_address)(void);
int *its_linked_main, *its_linked_worker, *its_plugin_main, *its_plugin_worker;
#endif

static void look(struct seen *seen)
{
	seen->own = &own;
	seen->wide = &wide.value;
	seen->zeroed = &zeroed;
}

/* Here the main thread and the worker have their variables.  */
void set(void)
{
}

/* The library is loaded, and no thread has used its variable.  */
void loaded(void)
{
}

/* Only the worker has used the loaded library's variable.  */
void used(void)
{
}

/* The library's number is another's now, whose variable nobody has used.  */
void reloaded(void)
{
}

#ifdef LIBRARIES
static void *load(const char *name)
{
	char self[4096], path[8192];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n < 0)
		exit(1);
	self[n] = 0;
	snprintf(path, sizeof path, "%s/%s", dirname(self), name);
	void *library = dlopen(path, RTLD_NOW);
	if (library == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	return library;
}
#endif

static void *worker(void *unused)
{
	its_handle = pthread_self();
	own = 111;
	wide.value = 222;
	zeroed = 333;
	look(&its_worker);
#ifdef LIBRARIES
	its_linked_worker = linked_address();
	*its_linked_worker = 444;
#endif
	set();
#ifdef LIBRARIES
	void *library = load("libtlsplugin.so");
	plugin_address = (int *(*)(void))dlsym(library, "plugin_address");
	loaded();
	its_plugin_worker = plugin_address();
	*its_plugin_worker = 555;
	used();
	dlclose(library);
	load("libtlsother.so");
	reloaded();
#endif
	return unused;
}

int main(void)
{
	pthread_t thread;
	look(&its_main);
	zeroed = 33;
#ifdef LIBRARIES
	its_linked_main = linked_address();
#endif
	if (pthread_create(&thread, NULL, worker, NULL) != 0)
		return 1;
	pthread_join(thread, NULL);
	return 0;
}
