#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# headers.sh: every header of the kernel and of the loader compiles alone, with gcc and with clang, under the kernel's warnings. Headers of the
# loader need gnu-efi's. Prints one verdict line; exit status 0 only if all do, with both compilers.
set -uo pipefail

flags=(-std=gnu17 -ffreestanding -mgeneral-regs-only -mno-red-zone -fshort-wchar -fPIE -fsyntax-only -I. -x c -Wall -Wextra -Werror -Wconversion
	-Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wpointer-arith -Wvla -Wundef)
efi=(-DGNU_EFI_USE_MS_ABI -isystem "${EFI_INC:-/usr/include/efi}" -isystem "${EFI_INC:-/usr/include/efi}/x86_64")

mapfile -t headers < <(git ls-files -co --exclude-standard 'arch/*.h' 'drivers/*.h' 'mm/*.h' 'vmx/*.h' 'monitor/*.h' 'boot/*.h')
[ ${#headers[@]} -gt 20 ] || { echo "headers: only ${#headers[@]} found: wrong folder?"; exit 1; }

failed=0
for compiler in gcc clang; do
	command -v $compiler >/dev/null || { echo "headers: $compiler is missing"; exit 1; }
	for header in "${headers[@]}"; do
		[ -e "$header" ] || continue
		extra=()
		[[ $header == boot/uefi/* ]] && extra=("${efi[@]}")
		if ! output=$(echo "#include \"$header\"" | $compiler "${flags[@]}" -Wno-unused-const-variable "${extra[@]}" - 2>&1); then
			echo "$header does not compile alone with $compiler:"
			head -3 <<<"$output"
			failed=$((failed + 1))
		fi
	done
done
echo "headers: ${#headers[@]} headers, gcc and clang, $failed problems"
[ $failed -eq 0 ]
