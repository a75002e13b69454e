/* SPDX-License-Identifier: MIT */
/*
 * What we ask of the compiler beyond the language, in one place.
 */
#pragma once

#ifndef static_assert
#define static_assert _Static_assert
#endif

#define must_check __attribute__((warn_unused_result))
#define noreturn __attribute__((noreturn))
#define packed __attribute__((packed))
#define aligned(n) __attribute__((aligned(n)))
#define printf_like(format, first) __attribute__((format(printf, format, first)))
#define array_size(a) (sizeof(a) / sizeof((a)[0]))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
