#!/bin/sh
# Make the phrases of the simulated handhelds from simulators/radiobridge_sim/speech/phrases.tsv.
# Needs espeak-ng and sox. Each: 8 kHz, 16 bits, mono, 300-3400 Hz as a radio carries it, silence
# at both ends cut, speech near -20 dBFS RMS and no
# peak above -1 dBFS. See docs/speech.md.
set -eu

cd "$(dirname "$0")/../simulators/radiobridge_sim/speech"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tab=$(printf '\t')
grep -v '^#' phrases.tsv | while IFS="$tab" read -r name voice speed text; do
    espeak-ng -v "$voice" -s "$speed" -w "$work/raw.wav" "$text"
    sox -D "$work/raw.wav" "$work/cut.wav" rate -h 8000 highpass 300 lowpass 3400 norm -3 \
        silence 1 0.005 1% reverse silence 1 0.005 1% reverse
    level=$(sox "$work/cut.wav" -n stats 2>&1 | awk '/^RMS lev dB/ {print $4}')
    gain=$(awk -v l="$level" 'BEGIN {g = -20 - l; printf "%.2f", g < 2 ? g : 2}')
    sox -D "$work/cut.wav" -b 16 -c 1 "$name.wav" gain "$gain"
    echo "$name.wav $(soxi -D "$name.wav") s, $gain dB"
done
