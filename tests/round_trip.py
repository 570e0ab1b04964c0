"""What must hold for every form, whoever defined it."""

from iota.params import safe_text


def check_round_trip(form):
    """Every default is right, means the default, and is the same after it was written and read."""
    wrong = {n: form.problem(n, f.default) for n, f in form.fields.items() if form.problem(n, f.default)}
    assert wrong == {}
    assert [n for n, f in form.fields.items() if form.differs(n, f.default)] == []
    text = form.phil_text({n: f.default for n, f in form.fields.items()})
    working = form.scope.fetch(source=safe_text.parse(text))
    assert form.scope.format(working.extract()).as_str() == form.scope.format(form.scope.fetch().extract()).as_str()
    assert form.read(text) == ({}, [])
