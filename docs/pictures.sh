#!/usr/bin/env bash
# Makes the README's pictures again: docs/preview.png, docs/gallery.png, docs/inkscape.png, and Blender's from the test of its window.
# Needs faceparse-svg, pytest, inkscape, blender, Xvfb, openbox, xdotool and ImageMagick's import and convert.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT

faceparse-svg examples/astronaut.jpg --preview -o "$work"
convert "$work/astronaut.preview.png" -resize 1000x -strip docs/preview.png
faceparse-svg examples/astronaut.jpg --no-svg --gallery -o "$work"
convert "$work/astronaut.gallery.png" -resize 1000x -strip docs/gallery.png

export DISPLAY=:87
Xvfb "$DISPLAY" -screen 0 1180x800x24 >/dev/null 2>&1 &
for _ in $(seq 50); do # until it takes windows
  xdotool getdisplaygeometry >/dev/null 2>&1 && break
  sleep 0.2
done
openbox >/dev/null 2>&1 &
inkscape "$work/astronaut.svg" >/dev/null 2>&1 &
window=$(timeout 60 xdotool search --sync --onlyvisible --name 'astronaut.svg' | tail -n 1)
sleep 8
xdotool windowsize "$window" 1180 800 windowmove "$window" 0 0 windowfocus "$window"
sleep 2
xdotool key ctrl+shift+l
sleep 3
xdotool key 4 # fit the drawing into the window
sleep 3
import -window root "$work/inkscape.png"
convert "$work/inkscape.png" -strip +dither -colors 255 docs/inkscape.png

FACEPARSE_PICTURES="$PWD/docs" python -m pytest -m window tests/test_window.py
