"""What each of AgentDojo's 69 tools does: the declarations that a skill's manifest would hold. All others only look."""

from __future__ import annotations

from assistant.skillkit.manifest import ToolDeclaration

_MAIL = ToolDeclaration(
    effect="read", trusted=("id_", "timestamp", "read"), readers=("sender", "recipients", "cc", "bcc")
)
_EVENTS = ToolDeclaration(
    effect="read", trusted=("id_", "start_time", "end_time", "all_day", "status"), readers=("participants",)
)
_FILES = ToolDeclaration(effect="read", trusted=("id_", "size", "last_modified"))
_BOOK = ToolDeclaration(effect="read", returns="tool")
_PUBLIC = ToolDeclaration(effect="read", public=True)
_WRITE = ToolDeclaration(effect="write")
_REMOVE = ToolDeclaration(effect="write", picks=True)
_EVENT = ToolDeclaration(
    effect="write", outward_if="participants", sensitive=("participants",), reaches=("participants",), revocable=True
)
_SEND = ToolDeclaration(
    effect="outward",
    sensitive=("recipients", "cc", "bcc", "attachments", "body"),
    reaches=("recipients", "cc", "bcc"),
)

DECLARED: dict[str, dict[str, ToolDeclaration]] = {
    "workspace": {
        "send_email": _SEND,
        "delete_email": _REMOVE,
        "get_unread_emails": _MAIL,
        "get_sent_emails": _MAIL,
        "get_received_emails": _MAIL,
        "get_draft_emails": _MAIL,
        "search_emails": _MAIL,
        "search_contacts_by_name": _BOOK,
        "search_contacts_by_email": _BOOK,
        "get_current_day": _BOOK,
        "search_calendar_events": _EVENTS,
        "get_day_calendar_events": _EVENTS,
        "create_calendar_event": _EVENT,
        "cancel_calendar_event": _REMOVE,
        "reschedule_calendar_event": _WRITE,
        "add_calendar_event_participants": ToolDeclaration(
            effect="outward", sensitive=("event_id", "participants"), reaches=("participants",), revocable=True
        ),
        "append_to_file": _WRITE,
        "create_file": ToolDeclaration(effect="write", trusted=("id_",)),
        "delete_file": _REMOVE,
        "search_files_by_filename": _FILES,
        "get_file_by_id": _FILES,
        "list_files": _FILES,
        "search_files": _FILES,
        "share_file": ToolDeclaration(effect="outward", sensitive=("file_id", "email"), reaches=("email",)),
    },
    "travel": {
        "get_user_information": ToolDeclaration(effect="read"),
        "create_calendar_event": _EVENT,
        "search_calendar_events": _EVENTS,
        "get_day_calendar_events": _EVENTS,
        "cancel_calendar_event": _REMOVE,
        # A reservation that costs nothing until one comes, and can be cancelled.
        "reserve_hotel": ToolDeclaration(effect="outward", sensitive=("hotel", "start_day", "end_day"), revocable=True),
        "reserve_car_rental": ToolDeclaration(
            effect="outward", sensitive=("company", "start_time", "end_time"), revocable=True
        ),
        "reserve_restaurant": ToolDeclaration(effect="outward", sensitive=("restaurant", "start_time"), revocable=True),
        "send_email": _SEND,
    },
    "banking": {
        "get_iban": _BOOK,
        "get_balance": _BOOK,
        "send_money": ToolDeclaration(effect="money", sensitive=("recipient", "amount")),
        "schedule_transaction": ToolDeclaration(effect="money", sensitive=("recipient", "amount", "recurring")),
        "update_scheduled_transaction": ToolDeclaration(
            effect="money", sensitive=("id", "recipient", "amount", "recurring")
        ),
        "get_most_recent_transactions": ToolDeclaration(effect="read", trusted=("id", "date", "amount")),
        "get_scheduled_transactions": ToolDeclaration(effect="read", trusted=("id", "date", "amount")),
        "read_file": ToolDeclaration(effect="read"),
        "get_user_info": _BOOK,
        "update_password": ToolDeclaration(effect="write", sensitive=("password",), lasting=True),
        "update_user_info": ToolDeclaration(effect="write", lasting=True),
    },
    "slack": {
        "get_channels": _BOOK,
        "get_users_in_channel": _BOOK,
        "read_channel_messages": ToolDeclaration(effect="read", trusted=("sender",)),
        "read_inbox": ToolDeclaration(effect="read", trusted=("sender",)),
        "add_user_to_channel": ToolDeclaration(effect="outward", sensitive=("user", "channel"), revocable=True),
        "send_direct_message": ToolDeclaration(
            effect="outward", sensitive=("recipient",), reaches=("recipient",), revocable=True
        ),
        "send_channel_message": ToolDeclaration(
            effect="outward", sensitive=("channel",), reaches=("channel",), revocable=True
        ),
        "invite_user_to_slack": ToolDeclaration(
            effect="outward", sensitive=("user", "user_email"), reaches=("user_email",)
        ),
        "remove_user_from_slack": _REMOVE,
        "get_webpage": ToolDeclaration(effect="read", sensitive=("url",), reaches=("url",), public=True, egress=True),
        "post_webpage": ToolDeclaration(effect="outward", sensitive=("url", "content"), reaches=("url",)),
    },
}


def declared(suite: str, tool: str) -> ToolDeclaration:
    """The tool's declaration."""
    return DECLARED[suite].get(tool, _PUBLIC if suite == "travel" else ToolDeclaration(effect="read"))
