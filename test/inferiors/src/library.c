/* library: use one shared object linked with the program and another that is
   loaded while it runs, beside the program.  */
#include <dlfcn.h>
#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

int linked_add(int a, int b);

int callback(int value)
{
	return value + 1;
}

void loaded(void)
{
}

int main(void)
{
	char self[4096], path[8192];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n < 0)
		return 1;
	self[n] = 0;
	snprintf(path, sizeof path, "%s/libplugin.so", dirname(self));
	void *plugin = dlopen(path, RTLD_NOW);
	if (plugin == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	int (*apply)(int (*)(int), int) = (int (*)(int (*)(int), int))dlsym(plugin, "plugin_apply");
	loaded();
	int result = apply(callback, linked_add(20, 1));
	dlclose(plugin);
	printf("result %d\n", result);
	return 0;
}
