#!/usr/bin/env bash
# PHIL does not read back what it has written when a value contains a dollar sign.
#
# One would guess: parameters that libtbx.phil writes, as DIALS does in its logs and scripts, give the same values when
#   they are read again; a folder named "2 $ a" or "$VISIT" survives.
# What happens: values are written in double quotes, and within these $NAME or $(NAME) is a variable that is taken from the
#   environment, and a dollar sign that begins no name is an error. Within single quotes, which PHIL never writes, the
#   text is literal.
# Seen with: cctbx 2022.9 (Debian 12)
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs_debian python3-cctbx 2022.9

seen='/data/$VISIT/x
  written: folder = "/data/$VISIT/x"
  read back: /data/from the environment/x
/data/2 $ a
  written: folder = "/data/2 $ a"
  read back: RuntimeError: Syntax error: improper variable name "/data/2 $ a" (input line 1)'
came_out=$(VISIT="from the environment" "$python" - <<'CODE'
import libtbx.phil

definition = libtbx.phil.parse("folder = None\n  .type = str")
for text in ("'/data/$VISIT/x'", "'/data/2 $ a'"):
    values = definition.fetch(libtbx.phil.parse(f"folder = {text}")).extract()
    print(values.folder)
    written = definition.format(values).as_str().strip()
    print("  written:", written)
    try:
        again = definition.fetch(libtbx.phil.parse(written)).extract().folder
    except RuntimeError as error:
        again = f"RuntimeError: {error}"
    print("  read back:", again)
CODE
)
compare "$seen" "$came_out"
