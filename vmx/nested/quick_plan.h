/* SPDX-License-Identifier: MIT */
/*
 * What of a vmcs12 decides how an entry and an exit of its L2 can be quick, worked out once
 * and used until the vmcs12 changes. Pure.
 */
#pragma once

#include "vmx/nested/vmcs12.h"

struct quick_plan {
	bool ready;		/* nothing that the plan rests on has changed since it was made */
};
