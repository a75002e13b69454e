#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# purity.sh LIBRARY: no privileged instruction in the pure core. Disassembles the library (build/libpure.a) and looks for VMX, control and debug
# register, MSR, port, descriptor-table, interrupt-flag, TLB and cache instructions, and for accesses through FS or GS (per-CPU state).
# Also no mutable global: .data and .bss of every member must be empty. Prints one verdict line; exit status 0 only if nothing was found.
set -uo pipefail

library=${1:-build/libpure.a}
[ -s "$library" ] || { echo "purity: $library does not exist"; exit 1; }

listing=$(objdump -d --no-show-raw-insn "$library") || { echo "purity: objdump cannot read $library"; exit 1; }
instructions=$(grep -cE '^ +[0-9a-f]+:' <<<"$listing")
[ "$instructions" -gt 1000 ] || { echo "purity: only $instructions instructions found in $library"; exit 1; }

privileged='^ +[0-9a-f]+:.*\b('
privileged+='vm(xon|xoff|clear|ptrld|ptrst|readq?|writeq?|launch|resume|call|func)|inv(ept|vpid|pcid|lpg|d)|wbinvd|wbnoinvd|'
privileged+='rdmsr|wrmsr|rdtscp?|rdpmc|cpuid|xgetbv|xsetbv|in[bwl]?|out[bwl]?|ins[bwl]|outs[bwl]|cli|sti|hlt|clts|lmsw|'
privileged+='[ls][gi]dt|l?ldt|lldt|sldt|ltr|str|swapgs|sysret|sysexit|iretq?|int[0-9]?|monitor|mwait|getsec|rsm'
privileged+=')\b'
found=$(grep -E "$privileged" <<<"$listing"; grep -E '%(cr[0-9]|db[0-9]|dr[0-9]|fs:|gs:)' <<<"$listing")
# Sizes of writable sections, per member; .data.rel.ro holds constants with pointers.
mutable=$(objdump -h "$library" | awk '/file format/ { member = $1 } $2 ~ /^\.(data|bss)(\.|$)/ && $2 !~ /^\.data\.rel\.ro/ && $3 !~ /^0+$/ { print member, $2, "0x" $3 }')
count=$(grep -c . <<<"$found$mutable")

[ -z "$found" ] || echo "$found"
[ -z "$mutable" ] || echo "$mutable"
echo "purity: $instructions instructions, $([ -z "$found$mutable" ] && echo 0 || echo "$count") problems"
[ -z "$found$mutable" ]
