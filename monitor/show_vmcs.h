/* SPDX-License-Identifier: MIT */
/* VMCSs field by field. Pure. */
#pragma once

#include "monitor/out.h"
#include "monitor/view.h"

/* Fields whose name has `pattern` in it, or which have it as their encoding; NULL: all. False: print no more. */
bool show_vmcs(struct monitor_out *out, const struct view *view, const char *pattern);

/* Those of them that the two have with different values. */
bool show_diff(struct monitor_out *out, const struct view *a, const struct view *b, const char *pattern);
