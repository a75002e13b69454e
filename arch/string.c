/* SPDX-License-Identifier: MIT */
/*
 * The functions of arch/string.h, with string instructions: compilers turn C
 * loops for them into calls to themselves. Host tests use the C library's.
 * Eight bytes at a time: emulators count each step of a string instruction.
 */
#include "arch/string.h"

void *memcpy(void *to, const void *from, size_t size)
{
	void *result = to;
	size_t words = size / 8, bytes = size % 8;
	__asm__ volatile("rep movsq\n movq %3, %%rcx\n rep movsb"
			 : "+D"(to), "+S"(from), "+&c"(words) : "r"(bytes) : "memory");
	return result;
}

void *memmove(void *to, const void *from, size_t size)
{
	u8 *last_to = (u8 *)to + size - 1;
	const u8 *last_from = (const u8 *)from + size - 1;

	if ((uintptr_t)to - (uintptr_t)from >= size)
		return memcpy(to, from, size);
	__asm__ volatile("std\n rep movsb\n cld" : "+D"(last_to), "+S"(last_from), "+c"(size) : : "memory", "cc");
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	void *result = to;
	size_t words = size / 8, bytes = size % 8;
	__asm__ volatile("rep stosq\n movq %2, %%rcx\n rep stosb"
			 : "+D"(to), "+&c"(words) : "r"(bytes), "a"((u8)byte * UINT64_C(0x0101010101010101)) : "memory");
	return result;
}

int memcmp(const void *a, const void *b, size_t size)
{
	size_t words = size / 8, bytes = size % 8;
	const u8 *left, *right;
	bool same;

	/* Past the first words that differ, or past the last. Of none nothing is compared: the flag says "same" before. */
	__asm__ volatile("cmpq %%rcx, %%rcx\n repe cmpsq" : "+S"(a), "+D"(b), "+c"(words), "=@ccz"(same) : : "memory");
	left = a;
	right = b;
	if (!same) {
		left -= 8;
		right -= 8;
		bytes = 8;
	}
	for (size_t i = 0; i < bytes; i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length] != 0)
		length++;
	return length;
}
