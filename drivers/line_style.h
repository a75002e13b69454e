/* SPDX-License-Identifier: MIT */
/*
 * How the console's lines look, for loader and kernel alike: time stamps, which
 * are ticks of the TSC made into seconds, and colours. Pure.
 */
#pragma once

#include "arch/types.h"
#include "boot/handoff.h"

#define LINE_RED "\x1b[31m"
#define LINE_GREY "\x1b[90m"
#define LINE_PLAIN "\x1b[0m"

/* Of a line of L0's; NULL: none. What is shown at every level tells that something is wrong. */
static inline const char *line_colour(enum log_level level)
{
	return level == LOG_QUIET ? LINE_RED : level == LOG_INFO ? NULL : LINE_GREY;
}

struct uptime {
	u64 seconds;		/* or ticks, where the frequency is not known */
	u32 microseconds;
};

/* A processor whose TSC lags behind the first one's is not before the beginning. */
static inline struct uptime uptime_at(const struct handoff_console *console, u64 tsc)
{
	u64 ticks = tsc > console->tsc_start ? tsc - console->tsc_start : 0;

	if (console->tsc_hz == 0)
		return (struct uptime){ ticks, 0 };
	return (struct uptime){ ticks / console->tsc_hz, (u32)(ticks % console->tsc_hz * 1000000 / console->tsc_hz) };
}

/*
 * TSC ticks a second by EAX, EBX and ECX of CPUID leaf 15H, or the base frequency in EAX of leaf 16H, which the
 * TSC has where the crystal's is not told; 0 if neither tells. SDM "CPUID-CPU Identification".
 */
static inline u64 tsc_hz_told(u32 denominator, u32 numerator, u32 crystal_hz, u32 base_mhz)
{
	if (denominator != 0 && numerator != 0 && crystal_hz != 0)
		return (u64)crystal_hz * numerator / denominator;
	return (u64)(base_mhz & 0xffff) * 1000000;
}
