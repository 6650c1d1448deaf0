// Kills its two children at once: the kernel tells nobody of an end before it has
// sent the signal to both.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	pid_t children[2];
	for (int i = 0; i < 2; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			for (;;)
				pause();
		}
		setpgid(children[i], children[0]);
	}
	kill(-children[0], SIGKILL);
	for (int i = 0; i < 2; i++)
		waitpid(children[i], NULL, 0);
	return 0;
}
