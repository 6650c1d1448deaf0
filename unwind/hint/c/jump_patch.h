/* Jump patches: how a program that patches itself, or is patched by something
   in its process, tells a debugger's server about it.

   A patcher keeps an entry for each patch in a list, whose head is the variable
   __jump_patch_descriptor, and calls __jump_patch_changed after each change.
   Only the site has to be filled in: what is 0 is derived from the code, if it
   can be.

   This header is the whole interface. Include it in one source file with
   JUMP_PATCH_IMPLEMENTATION defined. It is for x86-64 and needs no library.
   All addresses are those of the running program. The layout belongs to
   version 1 and won't change within it. */
#ifndef JUMP_PATCH_H
#define JUMP_PATCH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define JUMP_PATCH_VERSION 1

enum jump_patch_action {
	JUMP_PATCH_NO_ACTION = 0,
	JUMP_PATCH_ADDED = 1,
	JUMP_PATCH_REMOVED = 2,
};

/* Where a value is that the program had at the site. Registers have their DWARF
   numbers: rax 0, rdx 1, rcx 2, rbx 3, rsi 4, rdi 5, rbp 6, rsp 7, r8 to r15 8
   to 15. */
enum jump_patch_place_kind {
	JUMP_PATCH_SAME = 0,     /* in its register; not for the CFA */
	JUMP_PATCH_LOST = 1,     /* nowhere; not for the CFA */
	JUMP_PATCH_REGISTER = 2, /* a register's value plus offset */
	JUMP_PATCH_MEMORY = 3,   /* 8 bytes at a register's value plus offset; plus is added to them */
	JUMP_PATCH_ABSOLUTE = 4, /* 8 bytes at the address offset; plus is added to them */
	JUMP_PATCH_CFA = 5,      /* 8 bytes at the CFA plus offset; not for the CFA */
};

struct jump_patch_place {
	uint8_t kind;
	uint8_t reg;
	uint16_t reserved; /* 0 */
	int32_t plus;
	int64_t offset;
};

/* What holds from start up to, but not including, end: offsets in the stub. */
struct jump_patch_row {
	uint64_t start, end;
	struct jump_patch_place cfa; /* the stack pointer at the site */
	struct jump_patch_place rbx, rbp, r12, r13, r14, r15;
};

struct jump_patch {
	struct jump_patch *next, *previous;
	uint64_t site;           /* the first replaced instruction */
	uint64_t length;         /* bytes of replaced instructions, whole ones */
	uint64_t stub, size;     /* where the stub is */
	uint64_t entry;          /* where the site leads to, if not the start of the stub */
	uint64_t return_address; /* where the function goes on */
	const struct jump_patch_row *rows;
	uint64_t row_count;
};

struct jump_patch_descriptor {
	uint32_t version;
	uint32_t action; /* of enum jump_patch_action: what has been done with relevant */
	struct jump_patch *relevant;
	struct jump_patch *first;
};

extern struct jump_patch_descriptor __jump_patch_descriptor;

/* A server may have a breakpoint here. The patch has been made when this is
   called for its addition, and undone when it is called for its removal. */
void __jump_patch_changed(void);

/* Callers of these two must not run at the same time. */
static inline void jump_patch_add(struct jump_patch *entry)
{
	entry->previous = 0;
	entry->next = __jump_patch_descriptor.first;
	if (entry->next)
		entry->next->previous = entry;
	__jump_patch_descriptor.first = entry;
	__jump_patch_descriptor.relevant = entry;
	__jump_patch_descriptor.action = JUMP_PATCH_ADDED;
	__jump_patch_changed();
	__jump_patch_descriptor.action = JUMP_PATCH_NO_ACTION;
}

/* The entry may be freed afterwards. */
static inline void jump_patch_remove(struct jump_patch *entry)
{
	if (entry->previous)
		entry->previous->next = entry->next;
	else
		__jump_patch_descriptor.first = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
	__jump_patch_descriptor.relevant = entry;
	__jump_patch_descriptor.action = JUMP_PATCH_REMOVED;
	__jump_patch_changed();
	__jump_patch_descriptor.action = JUMP_PATCH_NO_ACTION;
	__jump_patch_descriptor.relevant = 0;
}

#ifdef JUMP_PATCH_IMPLEMENTATION
struct jump_patch_descriptor __jump_patch_descriptor __attribute__((visibility("default"), used)) = {
	JUMP_PATCH_VERSION, JUMP_PATCH_NO_ACTION, 0, 0,
};
__attribute__((visibility("default"), noinline, used)) void __jump_patch_changed(void)
{
	__asm__ volatile("" ::: "memory");
}
#endif

#ifdef __cplusplus
}
#endif

#endif
