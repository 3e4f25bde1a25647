"""The inbox: what people see of conversations and what they do with them: read, put away, remember, note, answer.

A conversation is a lead in a campaign; its place in the inbox (unread, important, archived, snoozed, whose it is) is in
campaign_leads. Owns message_texts (what is searched), reminders, lead_notes and lead_tasks.
"""
