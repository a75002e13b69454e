/* SPDX-License-Identifier: MIT */
/* The version, shown at boot and in CPUID leaf 0x40000001. */
#pragma once

#define TESTUDO_VERSION_MAJOR 0
#define TESTUDO_VERSION_MINOR 1
#define TESTUDO_VERSION (TESTUDO_VERSION_MAJOR << 16 | TESTUDO_VERSION_MINOR)
#define TESTUDO_VERSION_TEXT "0.1"
