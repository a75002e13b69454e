/* SPDX-License-Identifier: MIT */
/*
 * Bytes become a vmcs12; if VM entry accepts it, it is merged, L2 "runs" (its
 * state changes as hardware may change it), exits to L1, and enters once more.
 * Oracles: what hardware gets passes the checks on hardware's terms, L0's controls
 * survive, no field leads into L0's block, guest state is saved as the SDM says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86.h"
#include "tests/unit/merge_world.h"
#include "tests/unit/vmcs12_bytes.h"
#include "vmx/nested/sync.h"

#define REQUIRE(condition)       \
	do {                     \
		if (!(condition)) \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct merge_world world;
static struct vmcs12 *const vmcs12 = &world.builder.vmcs12;
static struct vmcs_image image02;
static u64 pdpte[4];
static u64 seed;

/* What L2, L1 and hardware do is drawn from the first bytes of the input. */
static u64 draw(void)
{
	u64 z = seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* --- oracles --------------------------------------------------------------------- */

/* Would hardware accept this VMCS of L0's? Also what L1 inherits from L2 must not make L1 impossible to enter. */
static void require_valid(const struct vmcs_image *image)
{
	static struct vmcs12 vmcs;
	struct entry_context context;
	struct entry_failure failure;

	merge_world_as_vmcs(&world, image, &vmcs, &context);
	REQUIRE(check_controls(&context, &failure));
	REQUIRE(check_host(&context, &failure));
	REQUIRE(check_guest(&context, &failure));
}

static void require_controls(void)
{
	for (u32 i = 0; i < controls_count; i++) {
		u32 mask = UINT32_C(1) << controls[i].bit;
		enum control_word word = (enum control_word)controls[i].word;
		bool on02 = image_get(&image02, control_fields[word]) & mask;
		bool on12 = vmcs12_has(vmcs12, word, mask), on01 = image_get(&world.image01, control_fields[word]) & mask;

		REQUIRE(!on02 || controls[i].offered);
		if (controls[i].merge == MERGE_L1)
			REQUIRE(on02 == on12);
		if (controls[i].merge == MERGE_OR)
			REQUIRE(on02 == (on12 || on01));
		if (controls[i].merge == MERGE_L0)
			REQUIRE(on02 == on01);
	}
	REQUIRE(image_get(&image02, VMCS_EXIT_MSR_LOAD_COUNT) == 0 && image_get(&image02, VMCS_EXIT_MSR_STORE_COUNT) == 0);
	REQUIRE(image_get(&image02, VMCS_VPID) != VPID01);
}

static void require_address(vmcs_field field)
{
	u64 address = image_get(&image02, field);

	REQUIRE(address == l1_to_hpa(&world.builder.memory, l1_gpa(vmcs12_get(vmcs12, field))).value);
	REQUIRE(address - FAKE_BLOCK_BASE >= FAKE_BLOCK_SIZE || address - world.builder.memory.scratch.value < PAGE_SIZE);
}

static void require_addresses(void)
{
	require_address(VMCS_IO_BITMAP_A_ADDRESS);
	require_address(VMCS_IO_BITMAP_B_ADDRESS);
	require_address(VMCS_VIRTUAL_APIC_ADDRESS);
	require_address(VMCS_APIC_ACCESS_ADDRESS);
	require_address(VMCS_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS);
	REQUIRE(image_get(&image02, VMCS_MSR_BITMAP_ADDRESS) == WORLD_MSR_BITMAP02);
	REQUIRE(image_get(&image02, VMCS_ENTRY_MSR_LOAD_ADDRESS) == WORLD_ENTRY_LOAD);
	REQUIRE(image_get(&image02, VMCS_EPT_POINTER) == WORLD_EPTP02);
	REQUIRE(image_get(&image02, VMCS_VMCS_LINK_POINTER) == ~UINT64_C(0));
	REQUIRE(image_get(&image02, VMCS_HOST_CR3) == WORLD_HOST_CR3);
}

/* --- entry ------------------------------------------------------------------------- */

/* Pages in L0's block are as good as others to L1, and seldom found by chance. */
static void aim_at_the_block(void)
{
	static const vmcs_field fields[] = {
		VMCS_FIELD(IO_BITMAP_A_ADDRESS), VMCS_FIELD(IO_BITMAP_B_ADDRESS), VMCS_FIELD(VIRTUAL_APIC_ADDRESS),
		VMCS_FIELD(APIC_ACCESS_ADDRESS), VMCS_FIELD(POSTED_INTERRUPT_DESCRIPTOR_ADDRESS), VMCS_FIELD(MSR_BITMAP_ADDRESS),
		VMCS_FIELD(ENTRY_MSR_LOAD_ADDRESS), VMCS_FIELD(EXIT_MSR_LOAD_ADDRESS), VMCS_FIELD(EXIT_MSR_STORE_ADDRESS),
	};

	for (u32 i = 0; i < array_size(fields); i++)
		if ((draw() & 3) == 0)
			vmcs12_set(vmcs12, fields[i], FAKE_BLOCK_BASE + (draw() & (FAKE_BLOCK_SIZE - 1) & ~PAGE_MASK));
}

/* Does VM entry accept it? With PAE paging and no EPT12, the PDPTEs are those in memory. */
static bool enters(void)
{
	const struct entry_context *context = &world.builder.context;
	struct entry_failure failure;

	if (!check_controls(context, &failure) || !check_host(context, &failure) || !check_guest(context, &failure))
		return false;
	world.input.pdpte = NULL;
	if (check_uses_pae_paging(vmcs12) && !vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_EPT)) {
		for (u64 i = 0; i < 4; i++)
			pdpte[i] = l1_read64(context->memory, l1_gpa((vmcs12_get(vmcs12, VMCS_GUEST_CR3) & BITS(31, 5)) + 8 * i));
		world.input.pdpte = pdpte;
		return check_pdptes(context->caps, pdpte);
	}
	return true;
}

static void enter(void)
{
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		image02.value[i] = 0;
	merge_world_update(&world);
	merge(&image02, &world.input);
	require_controls();
	require_addresses();
	require_valid(&image02);
}

/* --- L2 runs -------------------------------------------------------------------------- */

static u64 draw_efer(void)
{
	u64 efer = draw() & world.builder.hardware.efer_valid & ~(EFER_LMA | EFER_LME);

	return draw() & 1 ? efer | EFER_LMA | EFER_LME : efer;
}

/* Guest fields change at will, but for what no exit writes; EFER and PAT hold what WRMSR takes. */
static void run(void)
{
	static const u64 pats[] = { 0x0007040600070406, 0x0606060606060606, 0x0105040600070406, 0 };

	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		if (vmcs_fields[i].class != CLASS_GUEST || i == VMCS_INDEX_GUEST_SMBASE ||
		    i == VMCS_INDEX_GUEST_IA32_PERF_GLOBAL_CTRL || (draw() & 3) == 0)
			continue;
		image02.value[i] = draw() & vmcs_width_mask(vmcs_fields[i].field.encoding);
	}
	image_set(&image02, VMCS_GUEST_IA32_EFER, draw_efer());
	image_set(&image02, VMCS_GUEST_IA32_PAT, pats[draw() % array_size(pats)]);
	image_set(&image02, VMCS_GUEST_CR0, (draw() & ~(BITS(63, 32) | BITS(28, 19) | BIT(17) | BITS(15, 6))) | CR0_NE | CR0_ET);
}

/* --- exit -------------------------------------------------------------------------------- */

static void save(void)
{
	static struct vmcs12 before;

	before = *vmcs12;
	sync_guest(vmcs12, &image02);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (sync_is_rare(&vmcs_fields[i]))
			sync_rare(vmcs12, &image02, vmcs_fields[i].field);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		bool saved = merge_world_is_saved(&before, &vmcs_fields[i]);

		if (i != VMCS_INDEX_ENTRY_CONTROLS)
			REQUIRE(vmcs12->fields.value[i] == (saved ? image02.value[i] : before.fields.value[i]));
	}
	REQUIRE(((vmcs12_control(vmcs12, WORD_ENTRY) ^ vmcs12_control(&before, WORD_ENTRY)) & ~ENTRY_IA32E_MODE_GUEST) == 0);
}

static void load_l1(void)
{
	const struct vmcs_image before = world.image01;
	struct sync_l2_state l2 = {
		.cr0 = image_get(&image02, VMCS_GUEST_CR0), .efer = image_get(&image02, VMCS_GUEST_IA32_EFER),
		.pat = image_get(&image02, VMCS_GUEST_IA32_PAT), .nmi_blocking = draw() & 1,
	};

	sync_load_host(&world.image01, vmcs12, &l2);
	require_valid(&world.image01);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (vmcs_fields[i].class == CLASS_HOST || vmcs_fields[i].class == CLASS_L0)
			REQUIRE(world.image01.value[i] == before.value[i]);
}

/* --- once more ------------------------------------------------------------------------------ */

/* L1 changes what it may without an exit: the short merge must give what the whole one gives. */
static void enter_again(struct vmcs_image *again)
{
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (vmcs_fields[i].shadow == SHADOW_RW && (draw() & 3) == 0)
			vmcs12->fields.value[i] = draw() & vmcs_width_mask(vmcs_fields[i].field.encoding);
	world.input.l1.debugctl = draw();
	merge_world_update(&world);
	merge(&image02, &world.input);
	merge_again(again, &world.input);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (!sync_is_rare(&vmcs_fields[i])) /* those stay in vmcs02 */
			REQUIRE(again->value[i] == image02.value[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmcs_image entered;

	if (size < sizeof(seed))
		return 0;
	memcpy(&seed, data, sizeof(seed));
	vmcs12_from_bytes(&world.builder, data + sizeof(seed), size - sizeof(seed));
	/* The builder can offer L1 all of controls.def; merge() is for what Testudo offers. */
	if (caps_allow(&world.builder.offered, WORD_PROC2, PROC2_ENABLE_PML))
		return 0;
	aim_at_the_block();
	vmcs12_sanitize(vmcs12);
	merge_world_surround(&world);
	if (!enters())
		return 0;
	enter();
	entered = image02;
	run();
	save();
	load_l1();
	enter_again(&entered);
	return 0;
}
