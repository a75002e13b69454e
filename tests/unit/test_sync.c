/* SPDX-License-Identifier: MIT */
/*
 * An exit of L2 to L1: which guest state is saved into vmcs12, and what L1 finds
 * in its own registers. SDM "Saving Guest State", "Loading Host State".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86.h"
#include "tests/unit/merge_world.h"
#include "vmx/events.h"
#include "vmx/nested/sync.h"

static struct merge_world world;
static struct vmcs_image image02;
static struct sync_l2_state l2;
static struct vmcs12 *const vmcs12 = &world.builder.vmcs12;

static void start(enum builder_kind kind)
{
	merge_world_init(&world, kind);
	l2 = (struct sync_l2_state){ .cr0 = CR0_ET | CR0_PE, .efer = EFER_SCE | EFER_NXE, .pat = 0x0101010101010101 };
}

static void exit_control(u32 mask, bool on)
{
	u32 value = vmcs12_control(vmcs12, WORD_EXIT);

	vmcs12_set(vmcs12, VMCS_EXIT_CONTROLS, on ? value | mask : value & ~mask);
}

static u64 get01(vmcs_field field)
{
	return image_get(&world.image01, field);
}

static void save_all(void)
{
	sync_guest(vmcs12, &image02);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (sync_is_rare(&vmcs_fields[i]))
			sync_rare(vmcs12, &image02, vmcs_fields[i].field);
}

/* --- guest state --------------------------------------------------------------- */

/* Guest state as wild as it likes, but with the mode that the entry controls say. */
static void random_guest_state(void)
{
	bool ia32e = vmcs12_has(vmcs12, WORD_ENTRY, ENTRY_IA32E_MODE_GUEST);

	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (vmcs_fields[i].class == CLASS_GUEST)
			vmcs12->fields.value[i] = random64() & vmcs_width_mask(vmcs_fields[i].field.encoding);
	vmcs12_set(vmcs12, VMCS_GUEST_IA32_EFER, ia32e ? EFER_LMA | EFER_LME : 0);
}

/* Expect: vmcs12 as it was, when L2 changes nothing and what is saved was also loaded. */
static void in_and_out_again_is_the_identity(void **state)
{
	static struct vmcs12 before;
	const u32 loads = ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_IA32_PAT | ENTRY_LOAD_IA32_EFER;

	(void)state;
	srandom(1);
	for (u32 round = 0; round < 2000; round++) {
		start((enum builder_kind)(round % BUILD_KIND_COUNT));
		merge_world_random_controls(&world);
		vmcs12_set(vmcs12, VMCS_ENTRY_CONTROLS, vmcs12_control(vmcs12, WORD_ENTRY) | loads);
		random_guest_state();
		before = *vmcs12;
		merge(&image02, &world.input);
		save_all();
		assert_memory_equal(vmcs12, &before, sizeof(before));
	}
}

/* Expect: L1's own values in vmcs12, where it does not load but saves: they were L2's. */
static void what_is_saved_but_not_loaded_was_l1s(void **state)
{
	(void)state;
	start(BUILD_LONG);
	vmcs12_set(vmcs12, VMCS_ENTRY_CONTROLS, vmcs12_control(vmcs12, WORD_ENTRY) & ~ENTRY_LOAD_DEBUG_CONTROLS);
	exit_control(EXIT_SAVE_DEBUG_CONTROLS | EXIT_SAVE_IA32_PAT, true);
	merge(&image02, &world.input);
	sync_guest(vmcs12, &image02);
	assert_true(vmcs12_get(vmcs12, VMCS_GUEST_DR7) == WORLD_L1_DR7);
	assert_true(vmcs12_get(vmcs12, VMCS_GUEST_IA32_DEBUGCTL) == WORLD_L1_DEBUGCTL);
	assert_true(vmcs12_get(vmcs12, VMCS_GUEST_IA32_PAT) == WORLD_L1_PAT);
}

/* Expect: after an exit in which all of L2's state differs, exactly what the SDM saves is new in vmcs12. */
static void saved_is_what_the_controls_say(void **state)
{
	static struct vmcs12 before;

	(void)state;
	srandom(2);
	for (u32 round = 0; round < 2000; round++) {
		start((enum builder_kind)(round % BUILD_KIND_COUNT));
		merge_world_random_controls(&world);
		vmcs12_set(vmcs12, VMCS_PREEMPTION_TIMER_VALUE, UINT32_MAX);
		before = *vmcs12;
		for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
			image02.value[i] = ~before.fields.value[i];
		image_set(&image02, VMCS_PREEMPTION_TIMER_VALUE, round); /* it counts down */
		save_all();
		for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
			bool saved = merge_world_is_saved(vmcs12, &vmcs_fields[i]);

			if (i == VMCS_INDEX_ENTRY_CONTROLS)
				continue;
			if (vmcs12->fields.value[i] != (saved ? image02.value[i] : before.fields.value[i]))
				fail_msg("%s", vmcs_fields[i].name);
		}
	}
}

/* Expect: a timer that was at 0 is so still, though the processor saves another: Bochs does. */
static void a_timer_only_counts_down(void **state)
{
	(void)state;
	for (u64 start_value = 0; start_value < 8; start_value++) {
		start(BUILD_LONG);
		exit_control(EXIT_SAVE_PREEMPTION_TIMER, true);
		vmcs12_set(vmcs12, VMCS_PREEMPTION_TIMER_VALUE, start_value);
		image_set(&image02, VMCS_PREEMPTION_TIMER_VALUE, 3);
		save_all();
		assert_int_equal(vmcs12_get(vmcs12, VMCS_PREEMPTION_TIMER_VALUE), start_value < 3 ? start_value : 3);
	}
}

/* Expect: each guest field is hot, rare, or one that no exit writes. */
static void hot_and_rare_are_all_there_is(void **state)
{
	u32 hot = 0;

	(void)state;
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		bool is_hot = false;

		for (u32 j = 0; j < sync_hot_count; j++)
			is_hot |= sync_hot_fields[j].index == i;
		hot += is_hot;
		assert_false(is_hot && sync_is_rare(&vmcs_fields[i]));
		if (vmcs_fields[i].class != CLASS_GUEST)
			assert_false(is_hot || sync_is_rare(&vmcs_fields[i]));
		else if (!is_hot && !sync_is_rare(&vmcs_fields[i]))
			assert_true(i == VMCS_INDEX_GUEST_SMBASE || i == VMCS_INDEX_GUEST_IA32_PERF_GLOBAL_CTRL);
	}
	assert_int_equal(hot, sync_hot_count);
}

/* Expect: a guest that may turn paging on and off has its mode stored. SDM "Saving Control Registers, Debug Registers, and MSRs". */
static void an_unrestricted_guest_has_its_mode_stored(void **state)
{
	(void)state;
	start(BUILD_REAL);
	merge(&image02, &world.input);
	image_set(&image02, VMCS_GUEST_IA32_EFER, EFER_LMA | EFER_LME);
	sync_guest(vmcs12, &image02);
	assert_true(vmcs12_has(vmcs12, WORD_ENTRY, ENTRY_IA32E_MODE_GUEST));
	image_set(&image02, VMCS_GUEST_IA32_EFER, EFER_LME);
	sync_guest(vmcs12, &image02);
	assert_false(vmcs12_has(vmcs12, WORD_ENTRY, ENTRY_IA32E_MODE_GUEST));
}

/* --- L1's registers -------------------------------------------------------------- */

struct value {
	vmcs_field field;
	u64 value;
};

#define V(name, value) { VMCS_FIELD(name), value }
#define SEGMENT(name, selector, base, limit, access_rights)                                             \
	V(GUEST_##name##_SELECTOR, selector), V(GUEST_##name##_BASE, base), V(GUEST_##name##_LIMIT, limit), \
	V(GUEST_##name##_ACCESS_RIGHTS, access_rights)

static void set_host(void)
{
	static const struct value host[] = {
		V(HOST_ES_SELECTOR, 0x20), V(HOST_CS_SELECTOR, 0x10), V(HOST_SS_SELECTOR, 0x18), V(HOST_DS_SELECTOR, 0x28),
		V(HOST_FS_SELECTOR, 0x30), V(HOST_GS_SELECTOR, 0x38), V(HOST_TR_SELECTOR, 0x40), V(HOST_FS_BASE, 0xf50000),
		V(HOST_GS_BASE, 0x650000), V(HOST_TR_BASE, 0x750000), V(HOST_GDTR_BASE, 0xd10000), V(HOST_IDTR_BASE, 0x1d0000),
		V(HOST_CR0, CR0_PG | CR0_NE | CR0_PE | CR0_TS), V(HOST_CR3, 0x77000), V(HOST_CR4, CR4_VMXE | CR4_PAE | CR4_PGE),
		V(HOST_RSP, 0x5000), V(HOST_RIP, 0x6000), V(HOST_IA32_SYSENTER_CS, 0x50), V(HOST_IA32_SYSENTER_ESP, 0x51),
		V(HOST_IA32_SYSENTER_EIP, 0x52),
	};

	for (u32 i = 0; i < array_size(host); i++)
		vmcs12_set(vmcs12, host[i].field, host[i].value);
}

static void assert_values(const struct value *values, u32 count)
{
	for (u32 i = 0; i < count; i++)
		if (get01(values[i].field) != values[i].value)
			fail_msg("%s is %lx, not %lx", vmcs_fields[values[i].field.index].name, get01(values[i].field), values[i].value);
}

/* What every exit loads, whatever the mode of the host. */
static const struct value either_host[] = {
	V(GUEST_CR3, 0x77000), V(GUEST_DR7, 0x400), V(GUEST_IA32_DEBUGCTL, 0), V(GUEST_RFLAGS, 2), V(GUEST_RSP, 0x5000),
	V(GUEST_RIP, 0x6000), V(GUEST_IA32_SYSENTER_CS, 0x50), V(GUEST_IA32_SYSENTER_ESP, 0x51),
	V(GUEST_IA32_SYSENTER_EIP, 0x52), V(GUEST_GDTR_BASE, 0xd10000), V(GUEST_GDTR_LIMIT, 0xffff),
	V(GUEST_IDTR_BASE, 0x1d0000), V(GUEST_IDTR_LIMIT, 0xffff), V(GUEST_INTERRUPTIBILITY_STATE, 0),
	V(GUEST_ACTIVITY_STATE, 0), V(GUEST_PENDING_DEBUG_EXCEPTIONS, 0),
	V(GUEST_CR0, CR0_PG | CR0_NE | CR0_PE | CR0_TS | CR0_ET),
	SEGMENT(ES, 0x20, 0, 0xffffffff, 0xc093), SEGMENT(SS, 0x18, 0, 0xffffffff, 0xc093), SEGMENT(DS, 0x28, 0, 0xffffffff, 0xc093),
	SEGMENT(FS, 0x30, 0xf50000, 0xffffffff, 0xc093), SEGMENT(GS, 0x38, 0x650000, 0xffffffff, 0xc093),
	SEGMENT(TR, 0x40, 0x750000, 0x67, 0x8b), V(GUEST_LDTR_SELECTOR, 0), V(GUEST_LDTR_ACCESS_RIGHTS, 0x10000),
};

static void a_64_bit_host_is_loaded_as_the_sdm_says(void **state)
{
	static const struct value values[] = {
		SEGMENT(CS, 0x10, 0, 0xffffffff, 0xa09b), V(GUEST_CR4, CR4_VMXE | CR4_PAE | CR4_PGE),
		V(GUEST_IA32_EFER, EFER_LMA | EFER_LME | EFER_SCE | EFER_NXE),
	};

	(void)state;
	start(BUILD_LONG);
	set_host();
	exit_control(EXIT_LOAD_IA32_EFER, false);
	sync_load_host(&world.image01, vmcs12, &l2);
	assert_values(either_host, array_size(either_host));
	assert_values(values, array_size(values));
	assert_true(get01(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);
}

static void a_32_bit_host_is_loaded_as_the_sdm_says(void **state)
{
	static const struct value values[] = {
		SEGMENT(CS, 0x10, 0, 0xffffffff, 0xc09b), V(GUEST_CR4, CR4_VMXE | CR4_PGE), V(GUEST_IA32_EFER, EFER_SCE | EFER_NXE),
	};

	(void)state;
	start(BUILD_32_BIT_HOST);
	set_host();
	vmcs12_set(vmcs12, VMCS_HOST_CR4, CR4_VMXE | CR4_PGE);
	exit_control(EXIT_LOAD_IA32_EFER, false);
	image_set(&world.image01, VMCS_ENTRY_CONTROLS, get01(VMCS_ENTRY_CONTROLS) | ENTRY_IA32E_MODE_GUEST);
	l2.efer |= EFER_LMA | EFER_LME;
	sync_load_host(&world.image01, vmcs12, &l2);
	assert_values(either_host, array_size(either_host));
	assert_values(values, array_size(values));
	assert_false(get01(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);
}

/* Expect: CR4.PAE even if the field lacks it, as the control alone decides. */
static void a_64_bit_host_always_has_pae(void **state)
{
	(void)state;
	start(BUILD_LONG);
	vmcs12_set(vmcs12, VMCS_HOST_CR4, CR4_VMXE);
	sync_load_host(&world.image01, vmcs12, &l2);
	assert_int_equal(get01(VMCS_GUEST_CR4), CR4_VMXE | CR4_PAE);
	assert_int_equal(get01(VMCS_CR4_READ_SHADOW), CR4_VMXE | CR4_PAE);
}

/* SDM "Loading Host Control Registers, Debug Registers, MSRs": the bits of CR0 that an exit does not modify. */
static void cr0_keeps_the_bits_that_no_exit_modifies(void **state)
{
	const u64 kept = CR0_ET | CR0_NW | CR0_CD | BITS(63, 32) | BITS(28, 19) | BIT(17) | BITS(15, 6);

	(void)state;
	start(BUILD_LONG);
	vmcs12_set(vmcs12, VMCS_HOST_CR0, UINT32_MAX);
	l2.cr0 = CR0_ET | CR0_CD;
	sync_load_host(&world.image01, vmcs12, &l2);
	assert_int_equal(get01(VMCS_GUEST_CR0), (UINT32_MAX & ~kept) | CR0_ET | CR0_CD);
	assert_int_equal(get01(VMCS_CR0_READ_SHADOW), get01(VMCS_GUEST_CR0));
	l2.cr0 = CR0_ET;
	sync_load_host(&world.image01, vmcs12, &l2);
	assert_int_equal(get01(VMCS_GUEST_CR0), (UINT32_MAX & ~kept) | CR0_ET);
}

static void a_null_selector_makes_the_segment_unusable(void **state)
{
	static const vmcs_field selectors[] = {
		VMCS_FIELD(HOST_ES_SELECTOR), VMCS_FIELD(HOST_SS_SELECTOR), VMCS_FIELD(HOST_DS_SELECTOR),
		VMCS_FIELD(HOST_FS_SELECTOR), VMCS_FIELD(HOST_GS_SELECTOR),
	};
	static const vmcs_field access_rights[] = {
		VMCS_FIELD(GUEST_ES_ACCESS_RIGHTS), VMCS_FIELD(GUEST_SS_ACCESS_RIGHTS), VMCS_FIELD(GUEST_DS_ACCESS_RIGHTS),
		VMCS_FIELD(GUEST_FS_ACCESS_RIGHTS), VMCS_FIELD(GUEST_GS_ACCESS_RIGHTS),
	};

	(void)state;
	for (u32 i = 0; i < array_size(selectors); i++) {
		start(BUILD_LONG);
		set_host();
		vmcs12_set(vmcs12, selectors[i], 0);
		sync_load_host(&world.image01, vmcs12, &l2);
		for (u32 j = 0; j < array_size(access_rights); j++)
			assert_int_equal((get01(access_rights[j]) >> 16) & 1, i == j);
		assert_int_equal(get01(VMCS_GUEST_FS_BASE), 0xf50000);
		assert_int_equal(get01(VMCS_GUEST_GS_BASE), 0x650000);
	}
}

static void efer_and_pat_are_the_hosts_when_loaded_else_l2s(void **state)
{
	(void)state;
	start(BUILD_LONG);
	vmcs12_set(vmcs12, VMCS_HOST_IA32_EFER, EFER_LMA | EFER_LME | EFER_NXE);
	vmcs12_set(vmcs12, VMCS_HOST_IA32_PAT, 0x0606060606060606);
	exit_control(EXIT_LOAD_IA32_EFER | EXIT_LOAD_IA32_PAT, true);
	sync_load_host(&world.image01, vmcs12, &l2);
	assert_int_equal(get01(VMCS_GUEST_IA32_EFER), EFER_LMA | EFER_LME | EFER_NXE);
	assert_true(get01(VMCS_GUEST_IA32_PAT) == 0x0606060606060606);
	exit_control(EXIT_LOAD_IA32_EFER | EXIT_LOAD_IA32_PAT, false);
	sync_load_host(&world.image01, vmcs12, &l2);
	assert_int_equal(get01(VMCS_GUEST_IA32_EFER), EFER_LMA | EFER_LME | EFER_SCE | EFER_NXE);
	assert_true(get01(VMCS_GUEST_IA32_PAT) == l2.pat);
}

static void nmi_blocking_stays_when_it_is_in_force(void **state)
{
	(void)state;
	start(BUILD_LONG);
	l2.nmi_blocking = true;
	sync_load_host(&world.image01, vmcs12, &l2);
	assert_int_equal(get01(VMCS_GUEST_INTERRUPTIBILITY_STATE), INTERRUPTIBILITY_NMI);
}

/* Expect: the list that is written to vmcs01 names exactly the rows that the load sets. */
static void the_list_of_host_fields_is_complete(void **state)
{
	static bool touched[VMCS_FIELD_COUNT];

	(void)state;
	for (u64 marker = 0; marker < 2; marker++) {
		start(BUILD_LONG);
		for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
			world.image01.value[i] = marker ? ~UINT64_C(0) : 0;
		sync_load_host(&world.image01, vmcs12, &l2);
		for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
			touched[i] |= world.image01.value[i] != (marker ? ~UINT64_C(0) : 0);
	}
	for (u32 i = 0; i < sync_host_count; i++) {
		if (!touched[sync_host_fields[i].index])
			fail_msg("%s is listed, but not loaded or listed twice", vmcs_fields[sync_host_fields[i].index].name);
		touched[sync_host_fields[i].index] = false;
	}
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (touched[i])
			fail_msg("%s is loaded, but not listed", vmcs_fields[i].name);
}

/* Expect: of vmcs01's controls nothing but the mode, and none of L0's host state. */
static void loading_l1_leaves_l0_alone(void **state)
{
	struct vmcs_image before;

	(void)state;
	start(BUILD_LONG);
	before = world.image01;
	sync_load_host(&world.image01, vmcs12, &l2);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		u64 change = world.image01.value[i] ^ before.value[i];

		if (i == VMCS_INDEX_ENTRY_CONTROLS)
			assert_int_equal(change & ~(u64)ENTRY_IA32E_MODE_GUEST, 0);
		else if (i != VMCS_INDEX_CR0_READ_SHADOW && i != VMCS_INDEX_CR4_READ_SHADOW && vmcs_fields[i].class != CLASS_GUEST)
			assert_int_equal(change, 0);
	}
}

/* Expect: after host state that the checks passed, hardware lets L0 enter L1. */
static void l1_can_be_entered_after_every_valid_host_state(void **state)
{
	static struct vmcs12 vmcs01;
	struct entry_context context;
	struct entry_failure failure = { .rule = "" };

	(void)state;
	for (u32 kind = 0; kind < BUILD_KIND_COUNT; kind++) {
		start((enum builder_kind)kind);
		sync_load_host(&world.image01, vmcs12, &l2);
		merge_world_as_vmcs(&world, &world.image01, &vmcs01, &context);
		if (!check_controls(&context, &failure) || !check_host(&context, &failure) || !check_guest(&context, &failure))
			fail_msg("kind %u: %s", kind, failure.rule);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_and_out_again_is_the_identity),
		cmocka_unit_test(what_is_saved_but_not_loaded_was_l1s),
		cmocka_unit_test(saved_is_what_the_controls_say),
		cmocka_unit_test(a_timer_only_counts_down),
		cmocka_unit_test(hot_and_rare_are_all_there_is),
		cmocka_unit_test(an_unrestricted_guest_has_its_mode_stored),
		cmocka_unit_test(a_64_bit_host_is_loaded_as_the_sdm_says),
		cmocka_unit_test(a_32_bit_host_is_loaded_as_the_sdm_says),
		cmocka_unit_test(a_64_bit_host_always_has_pae),
		cmocka_unit_test(cr0_keeps_the_bits_that_no_exit_modifies),
		cmocka_unit_test(a_null_selector_makes_the_segment_unusable),
		cmocka_unit_test(efer_and_pat_are_the_hosts_when_loaded_else_l2s),
		cmocka_unit_test(nmi_blocking_stays_when_it_is_in_force),
		cmocka_unit_test(the_list_of_host_fields_is_complete),
		cmocka_unit_test(loading_l1_leaves_l0_alone),
		cmocka_unit_test(l1_can_be_entered_after_every_valid_host_state),
	};

	return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
