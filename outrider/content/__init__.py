"""What a mail says: variables, Liquid, spintax, and HTML as text and back. Pure; no database, no clock.

A step's texts are compiled once, when its variant is loaded, and filled once per mail:

    subject_template = compile_subject(variant.subject)          # TemplateError: shown when the sequence is saved
    body_template = compile_body(variant.email_body)

    sender = sender_values(mailbox.from_name, mailbox.from_email, signature=mailbox.signature)      # once per mailbox
    unsubscribe = unsubscribe_text(campaign.unsubscribe_text, url)
    values = mail_values(lead_fields, custom=custom_fields, sender=sender, unsubscribe_text=unsubscribe)

    subject = subject_template.render(values, seed=stats_id.bytes, now=now, zone=zone)   # TemplateError: hold the lead
    html = body_template.render(values, seed=stats_id.bytes, now=now, zone=zone)
    if not body_template.has_unsubscribe_text:
        html = append_before_body_end(html, footer(unsubscribe))
    text = to_text(html)                                                  # all there is in plain-text mode
    html = rewrite_links(html, rewrite, keep=(url,), visible_urls=False)  # rewrite(url, index) -> URL
    html = append_before_body_end(html, pixel)

`render` is `begin`, `find_script` and `write` in one: between them `engine/letters.py` looks for a shorter way.
`template.variables()`, `unresolved(values)`, `combinations` and `choices(seed)` serve the review and the preview.
Modules: `template` (compile, render) over `syntax` (tokens), `spintax`, `expression` (what is in double braces),
`filling` (values into places), `marks` (places before the values are known), `liquid` with `inspection` and `filters`;
`variables`, `dates`; `html`, `text`, `links` (mail of ours), `cleaning` (mail of others).
"""
