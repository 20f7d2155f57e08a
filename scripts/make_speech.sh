#!/bin/sh
# Make the phrases of the simulated handhelds and the announcements of the gateway, each folder from
# its phrases.tsv. Needs espeak-ng and sox. Each: 8 kHz, 16 bits, mono, 300-3400 Hz as a radio
# carries it, silence at both ends cut, speech near -20 dBFS RMS and no peak above -1 dBFS. See
# docs/speech.md. With arguments: only these folders.
set -eu

cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tab=$(printf '\t')
[ $# -gt 0 ] || set -- simulators/radiobridge_sim/speech src/radiobridge/speech
for folder; do
    grep -v '^#' "$folder/phrases.tsv" | while IFS="$tab" read -r name voice speed text; do
        espeak-ng -v "$voice" -s "$speed" -w "$work/raw.wav" "$text"
        sox -D "$work/raw.wav" "$work/cut.wav" rate -h 8000 highpass 300 lowpass 3400 norm -3 \
            silence 1 0.005 1% reverse silence 1 0.005 1% reverse
        level=$(sox "$work/cut.wav" -n stats 2>&1 | awk '/^RMS lev dB/ {print $4}')
        gain=$(awk -v l="$level" 'BEGIN {g = -20 - l; printf "%.2f", g < 2 ? g : 2}')
        sox -D "$work/cut.wav" -b 16 -c 1 "$folder/$name.wav" gain "$gain"
        echo "$folder/$name.wav $(soxi -D "$folder/$name.wav") s, $gain dB"
    done
done
