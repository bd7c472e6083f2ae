"""The tables, as Peewee models. What the database itself refuses (checks, triggers) is here as well.

Money columns are integer minor units. Times are Unix milliseconds. `seal` is a keyed hash over the columns of a row
that only this subsystem writes (see `rowseal`); columns that are left out of it can be recomputed from transfers.
"""

from __future__ import annotations

from peewee import BigIntegerField, BlobField, Check, CompositeKey, IntegerField, Model, TextField


class Row(Model):
    """Base of all tables. A store binds the models to its database (see `store`)."""

    class Meta:
        legacy_table_names = False


class Fact(Row):
    """Facts about the database itself: format version."""

    key = TextField(primary_key=True)
    value = TextField()

    class Meta:
        table_name = "meta"


class Account(Row):
    """One ledger account. `normal` is the side that raises its balance: debit for assets, credit for liabilities."""

    id = IntegerField(primary_key=True)
    number = TextField(unique=True)
    kind = TextField(constraints=[Check("kind IN ('wallet', 'biller', 'cash')")])
    normal = TextField(constraints=[Check("normal IN ('debit', 'credit')")])
    owner_id = BigIntegerField(index=True)
    name = TextField()
    currency = TextField()
    balance = BigIntegerField(default=0)
    floor = BigIntegerField(default=0)
    opened_at_ms = BigIntegerField()
    seal = BlobField()

    class Meta:
        constraints = [Check("balance >= floor")]


class Biller(Row):
    """A biller and its rules. `number_rule` is the regular expression of its customer numbers ('' any digits)."""

    id = IntegerField(primary_key=True)
    name = TextField()
    icon = TextField()
    rule = TextField(constraints=[Check("rule IN ('exact', 'up_to_due', 'over_is_credit')")])
    currency = TextField()
    number_rule = TextField()
    number_hint = TextField()
    account_id = IntegerField()
    seal = BlobField()


class Customer(Row):
    """A customer of a biller: a meter, a room, a phone. `credit` is what was paid over and not used yet."""

    biller_id = IntegerField()
    customer_number = TextField()
    place = TextField()
    credit = BigIntegerField(default=0, constraints=[Check("credit >= 0")])
    seal = BlobField()

    class Meta:
        primary_key = CompositeKey("biller_id", "customer_number")
        without_rowid = True


class Binding(Row):
    """Which customer number a member uses with a biller. Several members may share one."""

    member_id = BigIntegerField()
    biller_id = IntegerField()
    customer_number = TextField()
    seal = BlobField()

    class Meta:
        primary_key = CompositeKey("member_id", "biller_id")
        without_rowid = True
        indexes = ((("biller_id", "customer_number"), False),)


class Bill(Row):
    """A bill. It is cleared when `paid` reaches `total`; `lines` is MessagePack of [[text, minor], …]."""

    id = IntegerField(primary_key=True)
    biller_id = IntegerField()
    customer_number = TextField()
    bill_ref = TextField()
    title = TextField()
    period = TextField()
    lines = BlobField()
    total = BigIntegerField(constraints=[Check("total > 0")])
    minimum = BigIntegerField(constraints=[Check("minimum >= 0")])
    currency = TextField()
    due_on = TextField()
    cancelled = IntegerField(default=0)
    paid = BigIntegerField(default=0)
    seal = BlobField()

    class Meta:
        constraints = [Check("paid >= 0 AND paid <= total"), Check("minimum <= total")]
        indexes = ((("biller_id", "customer_number"), False), (("biller_id", "bill_ref"), True))


class Transfer(Row):
    """Money moved once, for ever. `cleared` went to the bill, `credit` to the customer's credit (refund: minus).

    kind credit_use moves no money (amount 0): the biller has it already, and it clears a later bill.
    """

    no = IntegerField(primary_key=True)
    kind = TextField(constraints=[Check("kind IN ('top_up', 'payment', 'refund', 'credit_use')")])
    debit_id = IntegerField()
    credit_id = IntegerField()
    amount = BigIntegerField()
    currency = TextField()
    at_ms = BigIntegerField()
    member_id = BigIntegerField()
    payment_id = BlobField()
    biller_id = IntegerField()
    customer_number = TextField()
    bill_id = IntegerField()
    cleared = BigIntegerField()
    credit = BigIntegerField()
    refunds_no = IntegerField()
    reason = TextField()
    hash = BlobField()

    class Meta:
        constraints = [
            Check("debit_id <> credit_id"),
            Check("amount > 0 OR (kind = 'credit_use' AND amount = 0)"),
        ]


class Result(Row):
    """What became of a payment id of a member: the answer's bytes, given again to every retry. Refunds are here too."""

    member_id = BigIntegerField()
    payment_id = BlobField()
    fingerprint = BlobField()
    transfer_no = IntegerField()
    result = BlobField()
    at_ms = BigIntegerField()
    seal = BlobField()

    class Meta:
        primary_key = CompositeKey("member_id", "payment_id")
        without_rowid = True


class Head(Row):
    """A signed head of the transfer chain: see ledger.head_bytes."""

    transfer_no = IntegerField(primary_key=True)
    hash = BlobField()
    at_ms = BigIntegerField()
    signature = BlobField()


class Audit(Row):
    """What an operator did, in a hash chain of its own."""

    no = IntegerField(primary_key=True)
    at_ms = BigIntegerField()
    who = TextField()
    action = TextField()
    subject = TextField()
    detail = TextField()
    why = TextField()
    hash = BlobField()


class Operation(Row):
    """A command of an operator that was carried out, by the command's own id: see command_log."""

    id = TextField(primary_key=True)
    fingerprint = BlobField()
    at_ms = BigIntegerField()
    who = TextField()
    out = TextField()
    seal = BlobField()

    class Meta:
        without_rowid = True


class Pin(Row):
    """A payment password: HMAC(pepper, scrypt(pin, salt)). `record_id` is new with every change."""

    account_id = IntegerField(primary_key=True)
    record_id = BlobField()
    salt = BlobField()
    hash = BlobField()
    set_at_ms = BigIntegerField()
    set_by = TextField()
    seal = BlobField()


class Attempt(Row):
    """Wrong guesses of one member at one account number, and what they led to."""

    member_id = BigIntegerField()
    account_number = TextField()
    tries = IntegerField()
    locks = IntegerField()
    locked_until_ms = BigIntegerField()
    seal = BlobField()

    class Meta:
        primary_key = CompositeKey("member_id", "account_number")
        without_rowid = True


class Unjudged(Row):
    """Guesses that were counted, and whose check never ended: one that runs now, or the process died during it."""

    member_id = BigIntegerField()
    account_number = TextField()
    guesses = IntegerField()
    seal = BlobField()

    class Meta:
        primary_key = CompositeKey("member_id", "account_number")
        without_rowid = True


class Limit(Row):
    """Limits of one account; account 0 holds what applies where none is set."""

    account_id = IntegerField(primary_key=True)
    single_max = BigIntegerField()
    daily_max = BigIntegerField()
    per_minute_max = IntegerField()
    seal = BlobField()


class Nonce(Row):
    """Nonces of money requests that left no stored result, while their seals are still fresh."""

    nonce = BlobField(primary_key=True)
    at_ms = BigIntegerField(index=True)

    class Meta:
        without_rowid = True


class Asked(Row):
    """Payment ids that were asked about before they arrived: an order sealed before that moment is dead."""

    member_id = BigIntegerField()
    payment_id = BlobField()
    made_at_ms = BigIntegerField()
    at_ms = BigIntegerField(index=True)

    class Meta:
        primary_key = CompositeKey("member_id", "payment_id")
        without_rowid = True


MODELS: list[type[Row]] = [
    Fact,
    Account,
    Biller,
    Customer,
    Binding,
    Bill,
    Transfer,
    Result,
    Head,
    Audit,
    Operation,
    Pin,
    Attempt,
    Unjudged,
    Limit,
    Nonce,
    Asked,
]

INDEXES = (
    "CREATE INDEX IF NOT EXISTS transfer_of_bill ON transfer (bill_id, no) WHERE bill_id > 0",
    "CREATE INDEX IF NOT EXISTS transfer_refunds ON transfer (refunds_no) WHERE refunds_no > 0",
)
"""Few on purpose: every index whose order is not that of the inserts dirties a page for each payment, and pages
are what a commit costs. Receipts of a member are found by the key of `result`, open bills by the key of `bill`."""

IMMUTABLE = ("transfer", "result", "head", "audit", "operation")
"""Tables whose rows are never changed: the database refuses it, whoever asks."""


def trigger_statements() -> list[str]:
    """The triggers that keep history as it was, and what a bill says as it was said."""
    statements = [
        f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} rows are never changed'); END"
        for table in IMMUTABLE
        for verb in ("UPDATE", "DELETE")
    ]
    statements.append(
        "CREATE TRIGGER IF NOT EXISTS bill_no_rewrite BEFORE UPDATE OF "
        "biller_id, customer_number, bill_ref, lines, total, currency ON bill "
        "BEGIN SELECT RAISE(ABORT, 'a bill is cancelled and issued anew, not rewritten'); END"
    )
    statements.append(
        "CREATE TRIGGER IF NOT EXISTS account_no_rewrite BEFORE UPDATE OF kind, normal, currency ON account "
        "BEGIN SELECT RAISE(ABORT, 'the kind of an account never changes'); END"
    )
    return statements
