// SPDX-License-Identifier: MIT
/*
 * Preloaded into Bochs (tests/emu/bochs.py): its terminal display sleeps for a millisecond in select() each time that a processor of the
 * machine goes to sleep, which makes runs with idle processors several times longer. What the machine does is not changed by it: its
 * clock counts instructions. Needs no C library, as the fetched Bochs brings its own.
 */
struct timeval {
	long seconds, microseconds;
};

enum { SYS_SELECT = 23 };

int select(int count, void *to_read, void *to_write, void *other, struct timeval *limit);

/* As it is, but a wait for the terminal alone, which is descriptor 0, becomes a look. */
int select(int count, void *to_read, void *to_write, void *other, struct timeval *limit)
{
	struct timeval none = { 0, 0 };
	long result;
	register void *fourth __asm__("r10") = other;
	register struct timeval *fifth __asm__("r8") = count == 1 && limit ? &none : limit;

	__asm__ volatile("syscall" : "=a"(result)
			 : "0"((long)SYS_SELECT), "D"((long)count), "S"(to_read), "d"(to_write), "r"(fourth), "r"(fifth)
			 : "rcx", "r11", "memory");
	return result < 0 ? -1 : (int)result;
}
