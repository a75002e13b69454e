/* SPDX-License-Identifier: MIT */
/*
 * VM entry's checks at the borders of their rules: the outermost bits of each
 * reserved range, the largest value that is allowed, and bits that are free
 * whatever the capability MSRs say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/refusals.h"
#include "vmx/events.h"

#define SECONDARY(name) WITH(SECONDARY_PROCESSOR_BASED_CONTROLS, CONTROL_MASK(PROC2, name))
#define PRIMARY(name) WITH(PROCESSOR_BASED_CONTROLS, CONTROL_MASK(PROC, name))
#define INJECT(value) TO(ENTRY_INTERRUPTION_INFORMATION, value)
#define POSTS \
	WITH(PIN_BASED_CONTROLS, CONTROL_MASK(PIN, PROCESS_POSTED_INTERRUPTS) | CONTROL_MASK(PIN, EXTERNAL_INTERRUPT_EXITING)), \
		SECONDARY(VIRTUAL_INTERRUPT_DELIVERY), PRIMARY(USE_TPR_SHADOW), \
		WITH(EXIT_CONTROLS, CONTROL_MASK(EXIT, ACKNOWLEDGE_INTERRUPT))
#define BIT_OF(number) (UINT64_C(1) << (number))
#define STORE_AREA "VM-exit MSR-store area: not 16-byte aligned, or beyond the physical-address width"
#define RFLAGS_RULE "guest RFLAGS: a reserved bit has the wrong value"
#define PDPTE_RULE "guest PDPTE0: present with a reserved bit that is 1"

static const struct refusal control_borders[] = {
	{ "store_area_with_bit_0", BUILD_LONG, { TO(EXIT_MSR_STORE_COUNT, 1), TO(EXIT_MSR_STORE_ADDRESS, 0x1001) }, STORE_AREA, 0 },
	{ "store_area_with_bit_3", BUILD_LONG, { TO(EXIT_MSR_STORE_COUNT, 1), TO(EXIT_MSR_STORE_ADDRESS, 0x1008) }, STORE_AREA, 0 },
	{ "store_area_with_bit_4", BUILD_LONG, { TO(EXIT_MSR_STORE_COUNT, 1), TO(EXIT_MSR_STORE_ADDRESS, 0x1010) }, NULL, 0 },
	{ "event_with_bit_12", BUILD_LONG, { INJECT(0x80000301 | BIT_OF(12)) }, "injected event: bits 30:12 are not 0", 0 },
	{ "event_with_bit_30", BUILD_LONG, { INJECT(0x80000301 | BIT_OF(30)) }, "injected event: bits 30:12 are not 0", 0 },
	{ "error_code_with_bit_31", BUILD_LONG, { INJECT(0x80000b0d), TO(ENTRY_EXCEPTION_ERROR_CODE, BIT_OF(31)) },
	  "injected event: bits 31:16 of the error code are not 0", 0 },
	{ "error_code_with_bit_15", BUILD_LONG, { INJECT(0x80000b0d), TO(ENTRY_EXCEPTION_ERROR_CODE, BIT_OF(15)) }, NULL, 0 },
	{ "exception_31", BUILD_LONG, { INJECT(0x80000300 | 31) }, NULL, 0 },
	{ "software_interrupt_of_15_bytes", BUILD_LONG, { INJECT(0x80000480), TO(ENTRY_INSTRUCTION_LENGTH, 15) }, NULL, 0 },
	{ "tpr_threshold_of_8_above_vtpr", BUILD_LONG, { PRIMARY(USE_TPR_SHADOW), TO(TPR_THRESHOLD, 8) },
	  "TPR threshold: greater than bits 7:4 of VTPR", 0 },
	{ "x2apic_mode_without_apic_accesses", BUILD_LONG, { PRIMARY(USE_TPR_SHADOW), SECONDARY(VIRTUALIZE_X2APIC_MODE) }, NULL, 0 },
	{ "notification_vector_255", BUILD_LONG, { POSTS, TO(POSTED_INTERRUPT_NOTIFICATION_VECTOR, 255) }, NULL, 0 },
	{ "posted_descriptor_with_bit_0", BUILD_LONG, { POSTS, TO(POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, 1) },
	  "posted-interrupt descriptor: not 64-byte aligned, or beyond the physical-address width", 0 },
	{ "posted_descriptor_with_bit_6", BUILD_LONG, { POSTS, TO(POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, 0x40) }, NULL, 0 },
	{ "ept_of_eight_levels", BUILD_LONG, { TO(EPT_POINTER, 0x40000 | 7 << 3 | 6) },
	  "EPT pointer: the walk length in bits 5:3 is not offered", 0 },
	{ "ept_pointer_with_bit_11", BUILD_LONG, { WITH(EPT_POINTER, BIT_OF(11)) },
	  "EPT pointer: a reserved bit of 11:7, or beyond the physical-address width", 0 },
};

static const struct refusal guest_borders[] = {
	{ "rflags_with_bit_3", BUILD_LONG, { WITH(GUEST_RFLAGS, BIT_OF(3)) }, RFLAGS_RULE, 0 },
	{ "rflags_with_bit_5", BUILD_LONG, { WITH(GUEST_RFLAGS, BIT_OF(5)) }, RFLAGS_RULE, 0 },
	{ "rflags_with_bit_15", BUILD_LONG, { WITH(GUEST_RFLAGS, BIT_OF(15)) }, RFLAGS_RULE, 0 },
	{ "rflags_with_bit_63", BUILD_LONG, { WITH(GUEST_RFLAGS, BIT_OF(63)) }, RFLAGS_RULE, 0 },
	{ "rflags_with_bit_21", BUILD_LONG, { WITH(GUEST_RFLAGS, BIT_OF(21)) }, NULL, 0 },
	{ "pdpte_with_bit_1", BUILD_PAE, { TO(GUEST_PDPTE0, 0x3) }, PDPTE_RULE, ENTRY_FAIL_PDPTE },
	{ "pdpte_with_bit_2", BUILD_PAE, { TO(GUEST_PDPTE0, 0x5) }, PDPTE_RULE, ENTRY_FAIL_PDPTE },
	{ "pdpte_with_bit_5", BUILD_PAE, { TO(GUEST_PDPTE0, 0x21) }, PDPTE_RULE, ENTRY_FAIL_PDPTE },
	{ "pdpte_with_bit_8", BUILD_PAE, { TO(GUEST_PDPTE0, 0x101) }, PDPTE_RULE, ENTRY_FAIL_PDPTE },
	{ "pdpte_with_bits_3_4_and_9", BUILD_PAE, { TO(GUEST_PDPTE0, 0x219) }, NULL, 0 },
	{ "enclave_interruption_alone", BUILD_LONG, { TO(GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_ENCLAVE) }, NULL, 0 },
	{ "rights_with_bit_11", BUILD_LONG, { WITH(GUEST_DS_ACCESS_RIGHTS, BIT_OF(11)) },
	  "guest DS access rights: bits 11:8 are not 0", 0 },
	{ "rights_with_bit_12", BUILD_LONG, { WITH(GUEST_DS_ACCESS_RIGHTS, BIT_OF(12)) }, NULL, 0 },
	{ "limit_with_bit_31_in_bytes", BUILD_LONG, { WITHOUT(GUEST_DS_ACCESS_RIGHTS, 0x8000), TO(GUEST_DS_LIMIT, BIT_OF(31)) },
	  "guest DS access rights: G is 0, but bits 31:20 of the limit are not 0", 0 },
	{ "limit_with_bit_19_in_bytes", BUILD_LONG, { WITHOUT(GUEST_DS_ACCESS_RIGHTS, 0x8000), TO(GUEST_DS_LIMIT, BIT_OF(19)) }, NULL, 0 },
	{ "ldtr_of_a_virtual_8086_guest", BUILD_V8086, { TO(GUEST_LDTR_ACCESS_RIGHTS, 0x83) },
	  "guest LDTR access rights: type is not LDT", 0 },
	{ "conforming_cs_of_the_same_level", BUILD_LONG, { TO(GUEST_CS_ACCESS_RIGHTS, 0xa09f) }, NULL, 0 },
};

static void five_levels_are_accepted_where_they_are_offered(void **state)
{
	static struct builder builder;
	struct entry_failure failure;

	(void)state;
	builder_init(&builder, BUILD_LONG);
	vmcs12_set(&builder.vmcs12, VMCS_EPT_POINTER, 0x40000 | 4 << 3 | 6);
	builder.offered.ept_vpid &= ~EPT_CAP_5_LEVEL;
	assert_false(check_controls(&builder.context, &failure));
	builder.offered.ept_vpid |= EPT_CAP_5_LEVEL;
	assert_true(check_controls(&builder.context, &failure));
	assert_true(check_is_eptp_valid(&builder.offered, 0x40000 | 4 << 3 | 6));
	assert_false(check_is_eptp_valid(&builder.offered, 0x40000 | 5 << 3 | 6));
	assert_false(check_is_eptp_valid(&builder.offered, 0x40000 | 4 << 3 | 5));
}

/* SDM "Checks on Guest Control Registers, Debug Registers, and MSRs": NW and CD are never looked at, nor those of the host. */
static void nw_and_cd_are_free_whatever_is_fixed(void **state)
{
	static const u64 bits[] = { CR0_NW, CR0_CD };
	static struct builder builder;
	struct entry_failure failure;

	(void)state;
	for (u32 i = 0; i < array_size(bits); i++) {
		builder_init(&builder, BUILD_LONG);
		builder.offered.cr0_fixed0 |= bits[i];
		assert_true(check_host(&builder.context, &failure));
		assert_true(check_guest(&builder.context, &failure));
		builder_init(&builder, BUILD_LONG);
		builder.offered.cr0_fixed1 &= ~bits[i];
		vmcs12_set(&builder.vmcs12, VMCS_HOST_CR0, vmcs12_get(&builder.vmcs12, VMCS_HOST_CR0) | bits[i]);
		vmcs12_set(&builder.vmcs12, VMCS_GUEST_CR0, vmcs12_get(&builder.vmcs12, VMCS_GUEST_CR0) | bits[i]);
		assert_true(check_host(&builder.context, &failure));
		assert_true(check_guest(&builder.context, &failure));
	}
}

/* Expect: HOST_RIP goes by the paging that the exit turns on, bases by what the processor can do. */
static void host_rip_goes_by_la57(void **state)
{
	static struct builder builder;
	struct entry_failure failure;
	const u64 beyond_47 = BIT_OF(47), beyond_56 = BIT_OF(56);

	(void)state;
	builder_init(&builder, BUILD_LONG);
	vmcs12_set(&builder.vmcs12, VMCS_HOST_CR4, vmcs12_get(&builder.vmcs12, VMCS_HOST_CR4) | CR4_LA57);
	vmcs12_set(&builder.vmcs12, VMCS_HOST_RIP, beyond_47);
	assert_true(check_host(&builder.context, &failure));
	vmcs12_set(&builder.vmcs12, VMCS_HOST_RIP, beyond_56);
	assert_false(check_host(&builder.context, &failure));
	assert_string_equal(failure.rule, "host RIP: not canonical");
	vmcs12_set(&builder.vmcs12, VMCS_HOST_CR4, vmcs12_get(&builder.vmcs12, VMCS_HOST_CR4) & ~(u64)CR4_LA57);
	vmcs12_set(&builder.vmcs12, VMCS_HOST_RIP, beyond_47);
	assert_false(check_host(&builder.context, &failure));
	vmcs12_set(&builder.vmcs12, VMCS_HOST_RIP, beyond_47 - 1);
	assert_true(check_host(&builder.context, &failure));
}

static void run_control(void **state)
{
	refusal_run(*state, check_controls);
}

static void run_guest(void **state)
{
	refusal_run(*state, check_guest);
}

static const struct CMUnitTest others[] = {
	cmocka_unit_test(five_levels_are_accepted_where_they_are_offered),
	cmocka_unit_test(nw_and_cd_are_free_whatever_is_fixed),
	cmocka_unit_test(host_rip_goes_by_la57),
};

static void add(struct CMUnitTest *tests, const struct refusal *refusals, u32 count, CMUnitTestFunction run)
{
	for (u32 i = 0; i < count; i++)
		tests[i] = (struct CMUnitTest){ .name = refusals[i].name, .test_func = run,
						.initial_state = (void *)(uintptr_t)&refusals[i] };
}

int main(void)
{
	struct CMUnitTest tests[array_size(control_borders) + array_size(guest_borders) + array_size(others)];

	add(tests, control_borders, array_size(control_borders), run_control);
	add(&tests[array_size(control_borders)], guest_borders, array_size(guest_borders), run_guest);
	memcpy(&tests[array_size(control_borders) + array_size(guest_borders)], others, sizeof(others));
	return cmocka_run_group_tests_name("check_borders", tests, NULL, NULL);
}
