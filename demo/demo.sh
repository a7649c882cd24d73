#!/usr/bin/env bash
# Sets everything up inside this folder, loads a sample mailbox, and makes six real requests of the daemon.
set -euo pipefail
cd "$(dirname "$0")/.."

MODEL=qwen2.5-coder-1.5b-instruct
export ASSISTANT_HOME="$PWD/.assistant/demo"
export ASSISTANT_MODELS="${ASSISTANT_MODELS:-$PWD/.assistant/models}"
export ASSISTANT__APPROVALS__HOLD_S=60  # time enough to show the mail in the outbox on a slow machine
export ASSISTANT__NOTIFY__DESKTOP=false
export PYTHONWARNINGS=ignore
assistant=.venv/bin/assistant
failed=0

now() { date +%s.%N; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.1f s", to - from }'; }
headline() { printf '\n── %s\n' "$*"; }
first_id() { .venv/bin/python -c 'import json, sys; print(next((one["id"] for one in json.load(sys.stdin)["items"]), ""))'; }
problem() { printf '!! %s\n' "$*" >&2; failed=1; }

# ask TEXT [STATUS]: say it, show answer and time; STATUS (usually 0) is the exit status that is expected.
ask() {
    headline "$1"
    local from status=0
    from=$(now)
    "$assistant" ask "$1" || status=$?
    printf '   (%s)\n' "$(since "$from")"
    case " ${2:-0} " in *" $status "*) ;; *) problem "this request failed (exit status $status)" ;; esac
    return 0
}

stop() { [ ! -x "$assistant" ] || "$assistant" daemon stop >/dev/null 2>&1 || true; }
trap stop EXIT

started=$(now)
headline "Installing"
make --no-print-directory install
stop
rm -rf "$ASSISTANT_HOME"
"$assistant" setup --yes --sample --model "$MODEL"
"$assistant" daemon start
printf '   (%s)\n' "$(since "$started")"

ask "what's new in my inbox?"
ask "我姐姐上周说了什么？"
ask "remind me tomorrow at 9 to call the clinic"

ask "reply to my sister that Friday afternoon works" "0 3"
waiting=$("$assistant" approvals list --json | first_id)
if [ -n "$waiting" ]; then
    headline "Nobody said yes at a terminal, so the demo does: assistant approvals approve $waiting"
    "$assistant" approvals approve "$waiting" || problem "the approval was not taken"
fi
headline "The mail waits in the outbox: assistant outbox list"
"$assistant" outbox list
mail=$("$assistant" outbox list --json | first_id)
if [ -z "$mail" ]; then
    problem "no mail lies in the outbox"
else
    headline "and can be taken back: assistant outbox cancel $mail"
    "$assistant" outbox cancel "$mail" || problem "the mail could not be taken back"
fi

ask "后天下午三点提醒我给妈妈打电话"
ask "What is a contour line on a map? Answer in one sentence."

headline "Done"
"$assistant" daemon stop
printf 'The whole demo took %s. What it made lies in .assistant/demo; try: ASSISTANT_HOME=.assistant/demo %s chat\n' \
    "$(since "$started")" "$assistant"
exit "$failed"
