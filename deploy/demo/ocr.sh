#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Reads the text of a scanned PDF, page by page: a handler for refq-worker in the plainest form.
#
#   stdin    {"path": "/absolute/path.pdf"}
#   stdout   ["text of the first page", "text of the second page"]
#   fd 3     {"progress": {"current": 1, "total": 2, "message": "page 1 of 2"}} after each page
#   exit     0 done; 65 this PDF will never work (no retry); 75 try again later
#
# Try it by hand:  echo '{"path": "letter.pdf"}' | ./ocr.sh 3>&2
#
# A page goes from pdftoppm to tesseract through a pipe (as plain pixels: packing them as PNG takes longer than reading
# them). There is no temporary file, so nothing is left behind even when the worker and this program are killed with -9.

set -euo pipefail

readonly EX_DATAERR=65
readonly EX_TEMPFAIL=75
readonly DPI=150
readonly MAX_PAGES=2000

# One page, one core: the worker decides how much runs at once.
export OMP_THREAD_LIMIT=1

die() {
    local code=$1
    shift
    printf 'ocr: %s\n' "$*" >&2
    exit "$code"
}

need_programs() {
    local program
    for program in pdfinfo pdftoppm tesseract jq; do
        if ! command -v "$program" >/dev/null; then
            die $EX_TEMPFAIL "$program is not installed on this worker (see deploy/packages list demo)"
        fi
    done
}

read_path() {
    local path
    path=$(jq -er 'if type == "object" and (.path | type) == "string" then .path else empty end' 2>/dev/null) ||
        die $EX_DATAERR 'the arguments must be a JSON object like {"path": "/some/file.pdf"}'
    # A relative name that starts with a dash must not become an option of pdfinfo.
    if [[ $path != /* ]]; then
        path=./$path
    fi
    if [[ ! -f $path ]]; then
        die $EX_DATAERR "there is no file '$path' on this worker"
    fi
    if [[ ! -r $path ]]; then
        die $EX_DATAERR "the worker may not read '$path'"
    fi
    printf '%s' "$path"
}

count_pages() {
    local info pages
    if ! info=$(pdfinfo "$1" 2>&1); then
        die $EX_DATAERR "'$1' is not a PDF that can be opened: ${info##*$'\n'}"
    fi
    pages=$(sed -n 's/^Pages: *\([0-9]\{1,9\}\)$/\1/p' <<<"$info")
    if [[ -z $pages ]] || ((pages < 1 || pages > MAX_PAGES)); then
        die $EX_DATAERR "'$1' has ${pages:-an unknown number of} pages; 1 to $MAX_PAGES can be read"
    fi
    printf '%s' "$pages"
}

# Prints the text of page $2 as one JSON string on one line.
read_page() {
    local codes=(0 0 0)
    pdftoppm -r $DPI -gray -f "$2" -l "$2" "$1" |
        tesseract stdin stdout --dpi $DPI -l eng |
        jq -Rs 'gsub("^\\s+|\\s+$"; "")' || codes=("${PIPESTATUS[@]}")
    # 141 is pdftoppm's SIGPIPE, and other signals are no fault of the document either.
    if ((codes[0] > 0 && codes[0] < 128)); then
        die $EX_DATAERR "page $2 of '$1' cannot be drawn (pdftoppm ended with ${codes[0]})"
    fi
    if ((codes[0] + codes[1] + codes[2] > 0)); then
        die $EX_TEMPFAIL "page $2 of '$1' could not be read (pdftoppm, tesseract, jq ended with ${codes[*]})"
    fi
}

report() {
    printf '{"progress":{"current":%d,"total":%d,"message":"page %d of %d"}}\n' "$1" "$2" "$1" "$2" >&3
}

main() {
    local path pages page text
    local texts=()
    if ! { : >&3; } 2>/dev/null; then
        exec 3>/dev/null
    fi
    need_programs
    path=$(read_path)
    pages=$(count_pages "$path" 3>&-)
    for ((page = 1; page <= pages; page++)); do
        text=$(read_page "$path" "$page" 3>&-)
        texts+=("$text")
        report "$page" "$pages"
    done
    printf '%s\n' "${texts[@]}" | jq -cs .
}

main "$@"
