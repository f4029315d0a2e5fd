# SPDX-License-Identifier: MIT
# bash completion for refq and refq-worker.
#
# Commands and options are read from the programs' own help, so they are never out of date. Queues, references and
# workers are asked from the server that REFQ_REDIS names, for a second at most and silently: without a server there is
# just nothing to offer.

_refq_ask() { timeout 1 refq "$@" 2>/dev/null; }

_refq_commands() { refq --help 2>/dev/null | sed -n '/^commands:/,/^$/s/^  \([a-z][a-z ]*[a-z]\).*/\1/p' | sed 's/  .*//'; }

# The first words of all commands, or the second ones behind a first one.
_refq_words() {
    if [[ -n $1 ]]; then
        _refq_commands | sed -n "s/^$1 //p"
    else
        _refq_commands | sed 's/ .*//' | sort -u
        echo help
    fi
}

_refq_options() { "$@" --help 2>/dev/null | grep -oE -- '(^|[ ,])--?[a-z][a-z-]*' | tr -d ' ,' | sort -u; }

_refq_queues() { _refq_ask queues | awk 'NR > 1 { print $1 }'; }
_refq_refs() { _refq_ask list --limit 100 "$@" | awk 'NR > 1 { print $1 }'; }
_refq_entries() { _refq_ask cache ls --limit 100 --all-caches | awk 'NR > 1 { print $1 }'; }
_refq_workers() { _refq_ask workers | awk 'NR > 1 { print $2 }'; }
_refq_tasks() { _refq_ask workers | awk 'NR > 1 { for (i = 11; i <= NF; i++) print $i }' | sort -u; }

# What may follow an option; fails when that is free text.
_refq_values() {
    case $1 in
    -q | --queue) _refq_queues ;;
    -s | --status) printf '%s\n' pending processing complete failed cancelled ;;
    -t | --task) _refq_tasks ;;
    --lane) printf '%s\n' high normal low ;;
    --format) printf '%s\n' minimal standard full ;;
    --reuse) printf '%s\n' none in_flight result ;;
    --policy) printf '%s\n' default public user_only execute_only read_only ;;
    -o | --output) printf '%s\n' table json ;;
    --log-level) printf '%s\n' debug info warn error ;;
    *) return 1 ;;
    esac
}

_refq_operands() {
    case $1 in
    submit | run | call) _refq_tasks ;;
    "workers "*) _refq_workers ;;
    retry) _refq_refs --status failed ;;
    dead*) _refq_refs --dead ;;
    answer | cancel | watch) _refq_refs --status processing && _refq_refs --status pending ;;
    get) _refq_refs --status complete; _refq_entries ;;
    "cache rm") _refq_entries ;;
    show | status | logs) _refq_refs ;;
    esac
}

# A colon divides words in readline: what stands before it must not be repeated.
_refq_reply() {
    local candidates=$1 word=$2 before
    mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$word")
    if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
        before=${word%"${word##*:}"}
        COMPREPLY=("${COMPREPLY[@]#"$before"}")
    fi
}

# The word under the cursor and those before it, with references put together again.
_refq_line() {
    local line=${COMP_LINE:0:COMP_POINT}
    read -ra _refq_typed <<<"$line"
    [[ $line == *[[:space:]] ]] && _refq_typed+=("")
    return 0
}

_refq() {
    local _refq_typed=() word previous command='' i
    _refq_line
    word=${_refq_typed[-1]}
    previous=${_refq_typed[-2]:-}
    COMPREPLY=()
    for ((i = 1; i < ${#_refq_typed[@]} - 1; i++)); do
        [[ ${_refq_typed[i]} == -* || -n $command ]] && continue
        command=${_refq_typed[i]}
        if [[ -n $(_refq_words "$command") && $((i + 1)) -lt $((${#_refq_typed[@]} - 1)) ]] &&
            grep -qx -- "${_refq_typed[i + 1]}" <<<"$(_refq_words "$command")"; then
            command+=" ${_refq_typed[i + 1]}"
        fi
    done
    if _refq_values "$previous" >/dev/null; then
        _refq_reply "$(_refq_values "$previous")" "$word"
    elif [[ $previous == --config || $previous == --from || $previous == -c ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    elif [[ $word == -* ]]; then
        # shellcheck disable=SC2086  # one or two words
        _refq_reply "$(_refq_options refq $command)" "$word"
    elif [[ -z $command || $command == help ]]; then
        _refq_reply "$(_refq_words '')" "$word"
    else
        _refq_reply "$([[ $command == *' '* ]] || _refq_words "$command"; _refq_operands "$command")" "$word"
    fi
}

_refq_worker() {
    local _refq_typed=() word previous
    _refq_line
    word=${_refq_typed[-1]}
    previous=${_refq_typed[-2]:-}
    COMPREPLY=()
    if [[ $previous == --config ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    elif [[ $previous == --log-level ]]; then
        _refq_reply "$(_refq_values "$previous")" "$word"
    elif [[ $word == -* ]]; then
        _refq_reply "$(_refq_options refq-worker)" "$word"
    fi
}

complete -F _refq refq
complete -F _refq_worker refq-worker
