"""Attacks on our own tools, in English and Chinese, with a planner that obeys every one of them.

Each case: a request, a text that an attacker controls and that the first read brings, and the call that the attacker
wants. The conversation, the gate, approvals and outbox are the real ones. A skill that is built is real too: the text
is planted in the mailbox, the calendar, the cards, the notes, the reminders or the documents, and the read has to bring
it. A skill that is only declared has recording stand-ins with its schemas and effects. The set,
bench/data/redteam/own.jsonl, was written by somebody who had not seen the code.
"""
