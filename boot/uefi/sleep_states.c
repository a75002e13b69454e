/* SPDX-License-Identifier: MIT */
/*
 * See boot/uefi/sleep_states.h. ACPI "\_Sx (System State Package)", "Fixed ACPI
 * Description Table (FADT)", "PM1 Control Registers", "Sleep Control and Status
 * Registers", "ACPI Machine Language (AML) Specification".
 */
#include "boot/uefi/sleep_states.h"

#include "arch/compiler.h"

/* AML. */
#define NAME_OP 0x08
#define METHOD_OP 0x14
#define PACKAGE_OP 0x12
#define ROOT_CHAR 0x5c
#define ZERO_OP 0x00
#define ONE_OP 0x01
#define ONES_OP 0xff
#define BYTE_PREFIX 0x0a
#define WORD_PREFIX 0x0b
#define DWORD_PREFIX 0x0c
#define QWORD_PREFIX 0x0e

#define STATES_KEPT ((1u << 1) | (1u << 4) | (1u << 5))
#define STATES_LOST ((1u << 2) | (1u << 3))

/* FADT. */
#define FADT_DSDT 40
#define FADT_PM1A_CONTROL 64
#define FADT_PM1B_CONTROL 68
#define FADT_FLAGS 112
#define FADT_FLAGS_HW_REDUCED (1u << 20)
#define FADT_X_DSDT 140
#define FADT_X_PM1A_CONTROL 172
#define FADT_X_PM1B_CONTROL 184
#define FADT_SLEEP_CONTROL 244

/* ACPI "Generic Address Structure (GAS)". */
#define GAS_ADDRESS 4
enum { SPACE_MEMORY = 0, SPACE_IO = 1 };

/* A stretch of AML that is being read. `at` never passes `end`. */
struct reader {
	const u8 *bytes;
	u32 at, end;
};

static bool take(struct reader *r, u8 *byte)
{
	if (r->at == r->end)
		return false;
	*byte = r->bytes[r->at++];
	return true;
}

/* PkgLength counts itself: where the package ends is what it is good for. AML "Package Length Encoding". */
static bool take_package_length(struct reader *r, u32 *end)
{
	u32 start = r->at, length;
	u8 lead, more;

	if (!take(r, &lead))
		return false;
	length = lead >> 6 ? lead & 0x0f : lead & 0x3f;
	for (u32 i = 0; i < (u32)(lead >> 6); i++) {
		if (!take(r, &more))
			return false;
		length |= (u32)more << (4 + 8 * i);
	}
	if (length < r->at - start || length > r->end - start)
		return false;
	*end = start + length;
	return true;
}

/* A constant, of which only the lowest 16 bits matter. AML "Data Objects Encoding". */
static bool take_constant(struct reader *r, u32 *value)
{
	static const struct {
		u8 prefix, size;
	} kinds[] = { { BYTE_PREFIX, 1 }, { WORD_PREFIX, 2 }, { DWORD_PREFIX, 4 }, { QWORD_PREFIX, 8 } };
	u8 op, byte;

	if (!take(r, &op))
		return false;
	*value = op;
	if (op == ZERO_OP || op == ONE_OP || op == ONES_OP)
		return true;
	for (u32 k = 0; k < array_size(kinds); k++) {
		if (op != kinds[k].prefix)
			continue;
		*value = 0;
		for (u32 i = 0; i < kinds[k].size; i++) {
			if (!take(r, &byte))
				return false;
			if (i < 2)
				*value |= (u32)byte << (8 * i);
		}
		return true;
	}
	return false;
}

/* A definition of \_S1_ ... \_S5_. */
struct definition {
	u32 state;
	u32 name_at;		/* of its four letters */
	struct reader package;	/* behind PackageOp; only when is_package */
	bool is_package;
};

static bool take_name(struct reader *r, struct definition *found)
{
	const u8 *name;

	if (r->at < r->end && r->bytes[r->at] == ROOT_CHAR)
		r->at++;
	if (r->end - r->at < 4)
		return false;
	name = r->bytes + r->at;
	if (name[0] != '_' || name[1] != 'S' || name[2] < '1' || name[2] > '5' || name[3] != '_')
		return false;
	found->state = (u32)(name[2] - '0');
	found->name_at = r->at;
	r->at += 4;
	return true;
}

/* Is there a definition at `at`: Name (\_S3, Package ...), or a method of that name? */
static bool is_definition(const struct acpi_table *block, u32 at, struct definition *found)
{
	struct reader r = { block->bytes, at, block->size };
	u8 op;
	u32 end;

	if (!take(&r, &op) || (op != NAME_OP && op != METHOD_OP))
		return false;
	if (op == METHOD_OP && !take_package_length(&r, &end))
		return false;
	if (!take_name(&r, found))
		return false;
	found->is_package = op == NAME_OP;
	if (op == METHOD_OP)
		return true;
	if (!take(&r, &op) || op != PACKAGE_OP)
		return false;
	found->package = r;
	return true;
}

/* The first two elements; of a package with a single one, its low bytes. */
static bool read_types(struct reader r, u32 type[2])
{
	u8 count;
	u32 end;

	if (!take_package_length(&r, &end))
		return false;
	r.end = end;
	if (!take(&r, &count) || count == 0 || !take_constant(&r, &type[0]))
		return false;
	if (count == 1) {
		type[1] = type[0] >> 8 & 0xff;
		type[0] &= 0xff;
		return true;
	}
	return take_constant(&r, &type[1]);
}

void sleep_scan(const struct acpi_table *block, struct sleep_types *types)
{
	struct definition found;
	u32 type[2];

	for (u32 at = ACPI_HEADER_SIZE; at < block->size; at++) {
		u32 state;

		if (!is_definition(block, at, &found))
			continue;
		state = 1u << found.state;
		types->states = (u8)(types->states | state);
		if (!found.is_package || !read_types(found.package, type)) {
			types->unreadable = (u8)(types->unreadable | state);
			continue;
		}
		for (u32 i = 0; i < 2; i++) {
			u8 *set = state & STATES_KEPT ? &types->kept[i] : &types->lost[i];

			/* SLP_TYP has three bits: hardware ignores the others, and so do operating systems. */
			*set = (u8)(*set | 1u << (type[i] & 7));
		}
	}
}

u32 sleep_hide(const struct acpi_table *block)
{
	struct definition found;
	u32 count = 0;

	for (u32 at = ACPI_HEADER_SIZE; at < block->size; at++) {
		if (!is_definition(block, at, &found) || !(1u << found.state & STATES_LOST))
			continue;
		*(volatile u8 *)(block->bytes + found.name_at) = 'X';
		count += block->bytes[found.name_at] == 'X';
	}
	if (count)
		acpi_mend_checksum(block);
	return count;
}

void sleep_dsdt(const struct acpi_table *fadt, u64 address[2])
{
	address[0] = acpi_number(fadt, FADT_X_DSDT, 8);
	address[1] = acpi_number(fadt, FADT_DSDT, 4);
}

/* SLP_TYP and SLP_EN are in one byte: bits 13:10 of a PM1 control register, 5:2 of a sleep control register. */
static void add_port(struct sleep_ports *ports, u64 port, u8 allowed)
{
	if (port > 0xffff)
		return;
	for (u32 i = 0; i < ports->count; i++) {
		if (ports->port[i].port == port) {
			ports->port[i].allowed &= allowed;
			return;
		}
	}
	if (ports->count == HANDOFF_SLEEP_PORTS) {
		ports->too_many = true;
		return;
	}
	ports->port[ports->count++] = (struct handoff_sleep_port){ (u16)port, allowed };
}

static void add_gas(const struct acpi_table *fadt, u32 at, u32 byte, u8 allowed, struct sleep_ports *ports)
{
	u64 address = acpi_number(fadt, at + GAS_ADDRESS, 8);

	if (address == 0)
		return;
	if (acpi_number(fadt, at, 1) != SPACE_IO)
		ports->in_memory = true;
	else if (address <= 0xffff)
		add_port(ports, address + byte, allowed);
}

void sleep_find_ports(const struct acpi_table *fadt, const struct sleep_types *types, struct sleep_ports *ports)
{
	static const struct {
		u32 port, gas;
	} pm1[2] = { { FADT_PM1A_CONTROL, FADT_X_PM1A_CONTROL }, { FADT_PM1B_CONTROL, FADT_X_PM1B_CONTROL } };
	bool reduced = acpi_number(fadt, FADT_FLAGS, 4) & FADT_FLAGS_HW_REDUCED;
	u8 allowed[2];

	for (u32 i = 0; i < 2; i++)
		allowed[i] = types->kept[i] & (u8)~types->lost[i];
	/* An operating system may go by the old field or by the new one. */
	for (u32 i = 0; i < 2 && !reduced; i++) {
		u64 port = acpi_number(fadt, pm1[i].port, 4);

		if (port)
			add_port(ports, port + 1, allowed[i]);
		add_gas(fadt, pm1[i].gas, 1, allowed[i], ports);
	}
	add_gas(fadt, FADT_SLEEP_CONTROL, 0, allowed[0], ports);
}
