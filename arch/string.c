/* SPDX-License-Identifier: MIT */
/*
 * The functions of arch/string.h, with string instructions: compilers turn C
 * loops for them into calls to themselves. Host tests use the C library's.
 */
#include "arch/string.h"

void *memcpy(void *to, const void *from, size_t size)
{
	void *result = to;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
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
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
	return result;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const u8 *left = a, *right = b;

	for (size_t i = 0; i < size; i++)
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
