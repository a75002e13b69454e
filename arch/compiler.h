/* SPDX-License-Identifier: MIT */
/*
 * What we ask of the compiler beyond the language, in one place.
 */
#pragma once

#ifndef static_assert
#define static_assert _Static_assert
#endif

#define must_check __attribute__((__warn_unused_result__))
#define maybe_unused __attribute__((unused))
#define noreturn __attribute__((__noreturn__))
#define noinline __attribute__((__noinline__))
/* Of the image itself: for linker symbols, which are compared and never called through a table. */
#define hidden __attribute__((__visibility__("hidden")))
#define packed __attribute__((__packed__))
#define aligned(n) __attribute__((__aligned__(n)))
#define printf_like(text, first) __attribute__((__format__(__printf__, text, first)))
#define array_size(a) (sizeof(a) / sizeof((a)[0]))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
