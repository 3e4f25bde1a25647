"""What a reply means: one of the nine categories or one of the account's own, offline (product behaviour 6.4).

`model` was learned from the replies in `corpus/replies` by `training`; `descriptions` compares a reply with the
account's own categories; `verdict` puts them together; `accuracy` measures. All of it is pure but `endpoint`, which
asks a language model instead, where the operator has named one.
"""
