"""The web app: pages for people, made on the server from the same stores and actions as the API. Owns no table.

`pages` are the routes of those who are logged in, `entrance` is how one gets in and out, `shell` what every page has
(who asks, headers, failures), `forms` reads what is sent, `wording` says states in words, `store` reads.
"""
