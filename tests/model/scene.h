/* SPDX-License-Identifier: MIT */
/* A scene for unit tests on the model: a vmcs12 to change, then L0 and L1 with it, current in region 0. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/ops.h"
#include "arch/x86.h"
#include "tests/model/model.h"
#include "tests/unit/vmcs12_builder.h"

extern struct builder scene;
/* L0 watches an I/O port. */
extern bool scene_watches_ports;
/* The processor has no VMCS shadowing. */
extern bool scene_is_soft;
int scene_make_soft(void **state);
/* A group of tests, and the same without VMCS shadowing. */
#define SCENE_RUN_BOTH(name, tests)                          \
	(cmocka_run_group_tests_name(name, tests, NULL, NULL) + \
	 cmocka_run_group_tests_name(name ".without_shadowing", tests, scene_make_soft, NULL))

/* Fills `scene`, for the test to change. */
void scene_begin(enum builder_kind kind);
/* Brings up L0 on scene.hardware; L1 has done VMXON, VMPTRLD and all VMWRITEs. */
void scene_play(void);

/* Shorthands on scene.vmcs12. */
void scene_set(vmcs_field field, u64 value);
void scene_control(enum control_word word, u32 set, u32 clear);

/* Expect: L2 runs. */
void scene_enter(void);
/* Expect: L2's exit reaches L1. */
void scene_exit_to_l1(u32 reason, u64 qualification);
/* L0 keeps this exit to itself: an MSR that only L0 watches. */
void scene_exit_to_l0(void);
/* A field of the VMCS that runs, and of L2's VMCS whether it runs or not. */
u64 scene_running(vmcs_field field);
u64 scene_of02(vmcs_field field);
/* L1's VMWRITE. Expect: it succeeds. */
void l1_set(vmcs_field field, u64 value);
/* L1's vmcs12 in L0's memory. */
u64 scene_of12(vmcs_field field);
