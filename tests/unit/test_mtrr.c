/* SPDX-License-Identifier: MIT */
/*
 * Memory types from MTRR values, against the SDM's words and against a model
 * that looks at every MTRR for every page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "arch/compiler.h"
#include "mm/addr.h"
#include "mm/mtrr.h"

enum { UC = 0, WC = 1, WT = 4, WP = 5, WB = 6 };

#define WIDTH 40
#define MB(n) ((u64)(n) << 20)
#define GB(n) ((u64)(n) << 30)

static struct mtrr_state machine(u8 default_type)
{
	return (struct mtrr_state){
		.cap = 10 | MTRRCAP_FIX, .def_type = MTRR_DEF_TYPE_ENABLE | default_type, .physical_address_bits = WIDTH
	};
}

static void set_range(struct mtrr_state *state, u32 n, u64 base, u64 size, u8 type)
{
	state->variable[n].base = base | type;
	state->variable[n].mask = (~(size - 1) & (BIT(WIDTH) - 1)) | MTRR_PHYSMASK_VALID;
}

static u8 type_of(const struct mtrr_state *state, u64 base, u64 size, bool expect_uniform)
{
	bool uniform;
	u8 type = mtrr_type(state, base, size, &uniform);

	assert_int_equal(uniform, expect_uniform);
	return type;
}

static void disabled_mtrrs_make_all_memory_uncacheable(void **state)
{
	struct mtrr_state s = machine(WB);

	(void)state;
	set_range(&s, 0, 0, GB(1), WB);
	s.def_type &= ~MTRR_DEF_TYPE_ENABLE;
	assert_int_equal(type_of(&s, 0, BIT(WIDTH), true), UC);
}

static void memory_outside_every_range_has_the_default_type(void **state)
{
	struct mtrr_state s = machine(WT);

	(void)state;
	set_range(&s, 0, GB(3), GB(1), UC);
	assert_int_equal(type_of(&s, 0, GB(3), true), WT);
	assert_int_equal(type_of(&s, GB(3), GB(1), true), UC);
	assert_int_equal(type_of(&s, GB(4), BIT(WIDTH) - GB(4), true), WT);
}

static void a_range_across_two_types_is_not_uniform_and_uncacheable(void **state)
{
	struct mtrr_state s = machine(WB);

	(void)state;
	set_range(&s, 0, MB(2), MB(2), WC);
	assert_int_equal(type_of(&s, 0, GB(1), false), UC);
	assert_int_equal(type_of(&s, 0, MB(2), true), WB);
	assert_int_equal(type_of(&s, MB(2), MB(2), true), WC);
}

static void an_invalid_range_does_not_count(void **state)
{
	struct mtrr_state s = machine(WB);

	(void)state;
	set_range(&s, 0, 0, GB(1), UC);
	s.variable[0].mask &= ~MTRR_PHYSMASK_VALID;
	assert_int_equal(type_of(&s, 0, GB(1), true), WB);
}

static void ranges_beyond_the_count_do_not_exist(void **state)
{
	struct mtrr_state s = machine(WB);

	(void)state;
	set_range(&s, 10, 0, GB(1), UC);
	assert_int_equal(type_of(&s, 0, GB(1), true), WB);
}

/* SDM "MTRR Precedences". */
static void overlaps_follow_the_precedences(void **state)
{
	static const struct { u8 one, other, result; } cases[] = {
		{ UC, WB, UC }, { WB, UC, UC }, { UC, WC, UC }, { WT, WB, WT }, { WB, WT, WT }, { WB, WB, WB },
		{ WC, WB, UC }, { WP, WT, UC },	/* undefined: we take UC */
	};

	(void)state;
	for (u32 i = 0; i < array_size(cases); i++) {
		struct mtrr_state s = machine(WB);

		set_range(&s, 0, MB(16), MB(16), cases[i].one);
		set_range(&s, 1, MB(16), MB(16), cases[i].other);
		assert_int_equal(type_of(&s, MB(16), MB(16), true), cases[i].result);
	}
}

static void fixed_ranges_rule_the_first_megabyte_alone(void **state)
{
	struct mtrr_state s = machine(UC);

	(void)state;
	s.def_type |= MTRR_DEF_TYPE_FIXED_ENABLE;
	for (u32 i = 0; i < MTRR_FIXED_COUNT; i++)
		s.fixed[i] = UINT64_C(0x0606060606060606);
	set_range(&s, 0, 0, GB(1), UC);
	assert_int_equal(type_of(&s, 0, MB(1), true), WB);
	assert_int_equal(type_of(&s, MB(1), MB(1), true), UC);

	s.fixed[2] = 0;			/* a0000-bffff */
	s.fixed[3] = 0x05 << 8;		/* c1000 */
	assert_int_equal(type_of(&s, 0x9c000, 0x4000, true), WB);
	assert_int_equal(type_of(&s, 0xa0000, 0x20000, true), UC);
	assert_int_equal(type_of(&s, 0xc0000, 0x1000, true), UC);
	assert_int_equal(type_of(&s, 0xc1000, 0x1000, true), WP);
	assert_int_equal(type_of(&s, 0, MB(1), false), UC);
}

static void fixed_ranges_that_are_off_do_not_count(void **state)
{
	struct mtrr_state s = machine(WB);

	(void)state;
	assert_int_equal(type_of(&s, 0, MB(2), true), WB);
}

/* The model: every MTRR asked for one address, with the mask rule as the SDM writes it. */
static u8 model(const struct mtrr_state *s, u64 address)
{
	u64 field = (BIT(WIDTH) - 1) & ~PAGE_MASK;
	bool uc = false, wt = false, wb = false, other = false;
	u8 last = 0, distinct = 0;

	for (u32 n = 0; n < 10; n++) {
		u8 type = (u8)s->variable[n].base;

		if (!(s->variable[n].mask & MTRR_PHYSMASK_VALID) ||
		    (address & s->variable[n].mask & field) != (s->variable[n].base & s->variable[n].mask & field))
			continue;
		if (!distinct || type != last)
			distinct++;
		last = type;
		uc |= type == UC;
		wt |= type == WT;
		wb |= type == WB;
		other |= type == WC || type == WP;
	}
	if (!distinct)
		return (u8)s->def_type;
	if (uc || (other && distinct > 1))
		return UC;
	return other ? last : wt ? WT : wb ? WB : UC;
}

static void random_machines_agree_with_the_model(void **state)
{
	static const u8 types[] = { UC, WC, WT, WP, WB };

	(void)state;
	srand(1);
	for (u32 round = 0; round < 3000; round++) {
		struct mtrr_state s = machine(types[(u32)rand() % 5]);

		for (u32 n = 0; n < (u32)rand() % 5; n++) {
			u64 size = MB(1) << ((u32)rand() % 6);

			set_range(&s, n, ((u64)rand() % 64 << 20) & ~(size - 1), size, types[(u32)rand() % 5]);
			if (rand() % 8 == 0)	/* a mask with holes, which the SDM discourages but defines */
				s.variable[n].mask &= ~(MB(1) << ((u32)rand() % 6));
		}
		for (u32 i = 0; i < 64; i++) {
			u64 at = MB(i), end;

			assert_int_equal(mtrr_type_at(&s, at, &end), model(&s, at));
			assert_true(end > at);
			for (u64 inside = at; inside < end && inside < MB(64); inside += MB(1))
				assert_int_equal(model(&s, inside), model(&s, at));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disabled_mtrrs_make_all_memory_uncacheable),
		cmocka_unit_test(memory_outside_every_range_has_the_default_type),
		cmocka_unit_test(a_range_across_two_types_is_not_uniform_and_uncacheable),
		cmocka_unit_test(an_invalid_range_does_not_count),
		cmocka_unit_test(ranges_beyond_the_count_do_not_exist),
		cmocka_unit_test(overlaps_follow_the_precedences),
		cmocka_unit_test(fixed_ranges_rule_the_first_megabyte_alone),
		cmocka_unit_test(fixed_ranges_that_are_off_do_not_count),
		cmocka_unit_test(random_machines_agree_with_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
