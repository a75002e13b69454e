/* SPDX-License-Identifier: MIT */
/*
 * What a Linux userspace can say about its processors: shared by L1's programs and L2's init.
 *
 * Functions that judge print one line with the name of the level, `who`, in front, and return 0 when all was well. They need /proc, and
 * turning processors off and on needs /sys. Must not depend on /dev/kvm.
 */
#pragma once

#define PROCESSORS_MAX 64

/* processors.c: the processors that are online, by /proc/cpuinfo. */
int processors_list(int list[PROCESSORS_MAX]);
/* Binds the calling thread; 0, or -1 where the processor is not online. */
int processors_run_on(int processor);

/* work.c: all processors at once: each computes, sleeps, is woken by its neighbour, and gives up a page that all use. */
int processors_work(const char *who);

/* hotplug.c: every processor but the first goes offline and comes back, `times` times, and then works. */
int processors_cycle(const char *who, int times);

/* interrupts.c: rows of /proc/interrupts. */
void interrupts_print(const char *who);
/* Each processor makes the kernel send an NMI to all others, `times` times; each must have come once. */
int interrupts_nmi(const char *who, int times);

/* kernel_log.c: complaints of the kernel that tell of lost interrupts or stuck processors. */
int kernel_log_judge(const char *who);
