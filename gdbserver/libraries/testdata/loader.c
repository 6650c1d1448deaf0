/* Loads argv[1] with dlopen and argv[2] into a namespace of its own, writes
   what it knows of its libraries, and waits until its input ends. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern ElfW(Dyn) _DYNAMIC[] __attribute__((weak));

/* The r_debug that is kept up to date. A dynamic program that refers to
   _r_debug gets a copy of how it was at first. */
static struct r_debug *debug(void)
{
	if (_DYNAMIC != NULL)
		for (ElfW(Dyn) *d = _DYNAMIC; d->d_tag != DT_NULL; d++)
			if (d->d_tag == DT_DEBUG)
				return (struct r_debug *)d->d_un.d_ptr;
	return &_r_debug;
}

static struct link_map *head(void *handle)
{
	struct link_map *m = NULL;
	if (handle == NULL || dlinfo(handle, RTLD_DI_LINKMAP, &m) != 0) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	while (m->l_prev != NULL)
		m = m->l_prev;
	return m;
}

/* r_next follows struct r_debug from version 2 on. */
static struct r_debug *namespace_of(struct link_map *first)
{
	struct r_debug *d = debug();
	while (d != NULL && d->r_map != first)
		d = d->r_version < 2 ? NULL : *(struct r_debug **)(d + 1);
	return d;
}

static void list(struct link_map *first)
{
	struct r_debug *d = namespace_of(first);
	for (struct link_map *m = first; m != NULL; m = m->l_next)
		printf("map %lx %lx %lx %lx %s\n", (long)d, (long)m, (long)m->l_addr, (long)m->l_ld, m->l_name);
}

static int object(struct dl_phdr_info *info, size_t size, void *data)
{
	printf("object %lx %s\n", (long)info->dlpi_addr, info->dlpi_name);
	return 0;
}

int main(int argc, char **argv)
{
	char c;
	printf("debug %lx\n", (long)debug());
	if (dlopen(argv[1], RTLD_NOW) == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	void *other = argc > 2 ? dlmopen(LM_ID_NEWLM, argv[2], RTLD_NOW) : NULL;
	if (argc > 2 && other == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	list(debug()->r_map);
	if (other != NULL)
		list(head(other));
	dl_iterate_phdr(object, NULL);
	printf("ready\n");
	fflush(stdout);
	return read(0, &c, 1) != 0;
}
