/* SPDX-License-Identifier: MIT */
/* Forced into every file: gnu17 spells it _Static_assert. */
#pragma once

#define static_assert _Static_assert
