"""What counts as a schedule, and what its writer is told where it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.cron import Kind, parse, to_aws
from backgroundtask.errors import Rejected


def refusal(text: str) -> str:
    with pytest.raises(Rejected) as refused:
        parse(text)
    assert refused.value.reason == "InvalidSchedule"
    return refused.value.message


@pytest.mark.parametrize(
    ("text", "kind", "slots_known"),
    [
        ("0 3 * * 1-5", Kind.UNIX, True),
        ("  0   3 * * 1-5\t", Kind.UNIX, True),
        ("@daily", Kind.UNIX, True),
        ("@every 5m", Kind.RATE, False),
        ("0 6 * * ? *", Kind.CRON, True),
        ("cron(0 6 * * ? *)", Kind.CRON, True),
        ("rate(5 minutes)", Kind.RATE, False),
        ("at(2026-12-31T23:59:00)", Kind.AT, True),
    ],
)
def test_every_way_of_saying_a_schedule_goes_through_one_door(text: str, kind: Kind, slots_known: bool) -> None:  # noqa: FBT001 - a table's column
    expression = parse(text)

    assert (expression.kind, expression.slots_known) == (kind, slots_known)


@pytest.mark.parametrize(
    ("text", "same", "why"),
    [
        ("0 0 1 jan mon", "0 0 1 JAN MON", "names in any case"),
        ("0 0 1 JaN *", "0 0 1 1 *", "months by name"),
        ("0 0 * * SUN", "0 0 * * 0", "weekdays by name, from Sunday = 0"),
        ("0 0 * * mon-fri", "0 0 * * 1-5", "ranges of names"),
        ("0 0 * * TUE/2", "0 0 * * 2,4,6", "a step from a name on"),
        ("5/15 * * * *", "5,20,35,50 * * * *", "a/n goes up to the end of the field"),
        ("5-30/10 * * * *", "5,15,25 * * * *", "a step within a range"),
        ("*/40 * * * *", "0,40 * * * *", "steps begin again each hour"),
        ("*/90 * * * *", "0 * * * *", "a step may be longer than the field"),
        ("0 0 */10 * *", "0 0 1,11,21,31 * *", "the step of a day-of-month begins at 1"),
        ("0 0 1 */5 *", "0 0 1 1,6,11 *", "and so does that of a month"),
        ("? ? ? ? ?", "* * * * *", "? is * in every field"),
        ("1,,2, * * * *", "1,2 * * * *", "empty items of a list are passed over"),
        ("02 03 04 05 *", "2 3 4 5 *", "leading zeros"),
        ("3,1-2,2 * * * *", "1,2,3 * * * *", "lists in any order, with repetitions"),
        ("@yearly", "0 0 1 1 *", "macro"),
        ("@annually", "0 0 1 1 *", "macro"),
        ("@monthly", "0 0 1 * *", "macro"),
        ("@weekly", "0 0 * * 0", "macro"),
        ("@daily", "0 0 * * *", "macro"),
        ("@midnight", "0 0 * * *", "macro"),
        ("@hourly", "0 * * * *", "macro"),
    ],
)
def test_unix_cron_is_read_as_kubernetes_reads_it(text: str, same: str, why: str) -> None:
    assert to_aws(parse(text)) == to_aws(parse(same)), why


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 0 * * 7", ['day-of-week "7"', "0-6", "write 0 or SUN"]),
        ("0 0 * * 5-7", ['day-of-week "5-7"', "0-6"]),
        ("60 * * * *", ['minute "60"', "0-59"]),
        ("* 24 * * *", ['hour "24"', "0-23"]),
        ("* * 0 * *", ['day-of-month "0"', "1-31"]),
        ("* * 1-32 * *", ['day-of-month "1-32"', "1-31"]),
        ("* * * 13 *", ['month "13"', "1-12"]),
        ("* * * JANUARY *", ['month "JANUARY"', "JAN, FEB"]),
        ("* * * * MUN", ['day-of-week "MUN"', "SUN, MON"]),
        ("* MON * * *", ['hour "MON"', "a number from 0 to 23"]),
        ("0 0 * * FRI-MON", ['"FRI-MON"', "backwards", "5-6,0-1"]),
        ("0 22-2 * * *", ['hour "22-2"', "22-23,0-2"]),
        ("*/0 * * * *", ['minute "*/0"', "step of 0"]),
        ("*/x * * * *", ['minute "*/x"', '"x"']),
        ("*/ * * * *", ['minute "*/"', "missing"]),
        ("1-2-3 * * * *", ['minute "1-2-3"', "write a number"]),
        ("*/2/2 * * * *", ['minute "*/2/2"', "write a number"]),
        ("-1 * * * *", ['minute "-1"', "missing"]),
        ("+1 * * * *", ['minute "+1"', "write a number"]),
        ("1.5 * * * *", ['minute "1.5"', "write a number"]),
        ("*-5 * * * *", ['minute "*-5"', "write * alone"]),
        (", * * * *", ['minute ","', "no value"]),
        ("* * * *", ["4 fields", "write five"]),
        ("0 0 0 1 1 ? 2026", ["7 fields", "write five"]),
        ("0 0 L * *", ["Unix cron, which has no L", "cron(minutes hours"]),
        ("0 0 15w * *", ["Unix cron, which has no L", "cron(minutes hours"]),
        ("0 0 * * 5L", ["Unix cron, which has no L", "cron(minutes hours"]),
        ("0 0 * * FRI#2", ["Unix cron, which has no L", "cron(minutes hours"]),
        ("", ["empty", "leave cron out"]),
        (" \n", ["empty"]),
        ("1–5 * * * *", ["U+2013", "ASCII"]),  # noqa: RUF001 - the dash that text processors make
        ("٣ * * * *", ["U+0663", "ASCII"]),
        ("\u017fun * * * *", ["U+017F", "ASCII"]),
        ("1," * 600 + "1 * * * *", ["1209 characters", "at most 1024"]),
    ],
)
def test_a_refusal_names_what_was_found_and_what_to_write(text: str, said: list[str]) -> None:
    message = refusal(text)

    assert [part for part in said if part not in message] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@reboot", "write when to run"),
        ("@Daily", "in lower case"),
        ("@daily 5", "@daily"),
        ("@fortnightly", "@weekly"),
        ("TZ=Europe/Berlin 0 3 * * *", "spec.timeZone"),
        ("CRON_TZ=UTC 0 3 * * *", "spec.timeZone"),
        ("0 0 3 * * 1", "meant as seconds"),
        ("0 */5 * * * *", "meant as seconds"),
        ("0 0 3 ? * MON", "meant as seconds"),
        ("0 0 30 2 *", "end by day 29"),
        ("0 0 31 2,4,6,9,11 *", "end by day 30"),
        ("0 0 31 FEB ?", "never runs"),
        ("cron(0 0 31 4 ? *)", "end by day 30"),
        ("cron(0 0 29 2 ? 2027)", "end by day 28"),
        ("cron(0 0 30W 2 ? *)", "end by day 29"),
        ("cron(0 0 L-30 4 ? *)", "end by day 30"),
    ],
)
def test_what_cannot_be_said_is_refused(text: str, said: str) -> None:
    assert said in refusal(text)


@pytest.mark.parametrize(
    "text", ["0 0 29 2 *", "0 0 31 1,2 *", "0 0 30 2 MON", "cron(0 0 29 2 ? 2027-2028)", "cron(0 0 L-29 1 ? *)"]
)
def test_a_date_that_some_year_or_month_has_is_taken(text: str) -> None:
    assert parse(text).slots_known


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("@every 1m", 1),
        ("@every 90m", 90),
        ("@every 1h30m", 90),
        ("@every 1.5h", 90),
        ("@every 24h", 1440),
        ("@every 60s", 1),
        ("@every 60000ms", 1),
        ("@every +5m", 5),
        ("@every 2m0.9s", 2),  # Kubernetes cuts to whole seconds
        ("@every .5h", 30),
    ],
)
def test_every_is_a_rate_in_whole_minutes(text: str, minutes: int) -> None:
    expression = parse(text)

    assert to_aws(expression) == (f"rate({minutes} minute{'s' if minutes > 1 else ''})",)
    assert expression.text == text


@pytest.mark.parametrize(
    "text",
    [
        "@every 90s",
        "@every 30s",
        "@every 1m30s",
        "@every 0",
        "@every 0m",
        "@every -5m",
        "@every 5",
        "@every",
        "@every 5 minutes",
        "@every 1d",
        "@every 1h 30m",
        "@every 9999999999h",
    ],
)
def test_every_that_is_no_whole_number_of_minutes_is_refused(text: str) -> None:
    assert "write" in refusal(text)


@pytest.mark.parametrize(
    ("text", "sent", "why"),
    [
        ("0 6 * * ? *", "cron(0 6 * * ? *)", "the bare six fields"),
        ("cron(0 6 * * ?)", "cron(0 6 * * ? *)", "a year that is left out"),
        ("cron( 0  6 * * ? * )", "cron(0 6 * * ? *)", "spaces"),
        ("cron(0 6 ? jan mon-fri *)", "cron(0 6 ? JAN MON-FRI *)", "names in any case"),
        ("cron(0/30 20-2 ? * MON-FRI *)", "cron(0/30 20-2 ? * MON-FRI *)", "AWS's own example of a wrap"),
        ("cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)", "cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)", "seen accepted by AWS"),
        ("cron(1-31/30 1-1 ? * 1,7 *)", "cron(1-31/30 1-1 ? * 1,7 *)", "seen accepted by AWS"),
        ("cron(0 0 L * ? *)", "cron(0 0 L * ? *)", "last day"),
        ("cron(0 0 L-2 * ? *)", "cron(0 0 L-2 * ? *)", "two days before it"),
        ("cron(0 0 LW * ? *)", "cron(0 0 LW * ? *)", "last weekday"),
        ("cron(0 0 15W * ? *)", "cron(0 0 15W * ? *)", "weekday nearest to the 15th"),
        ("cron(0 0 ? * L *)", "cron(0 0 ? * L *)", "Saturday"),
        ("cron(0 0 ? * 6L 2026-2030)", "cron(0 0 ? * 6L 2026-2030)", "last Friday"),
        ("cron(0 0 ? * FRIL *)", "cron(0 0 ? * FRIL *)", "last Friday"),
        ("cron(0 0 ? * FRI#2 *)", "cron(0 0 ? * FRI#2 *)", "second Friday"),
        ("cron(0 0 * * ? 2026/2)", "cron(0 0 * * ? 2026/2)", "every other year"),
        ("rate(1 minute)", "rate(1 minute)", "singular"),
        ("rate( 5  minutes )", "rate(5 minutes)", "plural"),
        ("rate(1 hour)", "rate(1 hour)", "hours"),
        ("rate(30 days)", "rate(30 days)", "days"),
        ("at(2026-12-31T23:59:00)", "at(2026-12-31T23:59:00)", "one time"),
    ],
)
def test_aws_expressions_pass_through(text: str, sent: str, why: str) -> None:
    assert to_aws(parse(text)) == (sent,), why


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cron(0 0 * * * *)", 'day-of-month "*" and day-of-week "*"'),
        ("cron(0 0 ? * ? *)", 'day-of-month "?" and day-of-week "?"'),
        ("cron(0 0 * * 1)", "Unix cron has five fields and no cron() around them"),
        ("cron(0 0 1 * 2 *)", "in one of the two"),
        ("cron(0 0 * ? * *)", 'month "?"'),
        ("cron(? 0 * * ? *)", 'minute "?"'),
        ("cron(0 0 1,? * ? *)", '"?" is not a value'),
        ("cron(60 0 * * ? *)", 'minute "60"'),
        ("cron(0 0 ? * 0 *)", "AWS counts from Sunday = 1"),
        ("cron(0 0 ? * 8 *)", "1-7"),
        ("cron(0 0 ? * 2/2 *)", "AWS takes no / here"),
        ("cron(0 0 ? * MON#2,FRI#2 *)", "write FRI#2"),
        ("cron(0 0 ? * FRI#6 *)", "from 1 to 5"),
        ("cron(0 0 ? * FRI#0 *)", "from 1 to 5"),
        ("cron(0 0 ? * #2 *)", "missing"),
        ("cron(0 0 ? * MON,6L *)", "6L"),
        ("cron(0 0 1,L * ? *)", "stand alone"),
        ("cron(0 0 1W,15W * ? *)", "stand alone"),
        ("cron(0 0 L-31 * ? *)", "L-1 to L-30"),
        ("cron(0 0 L-3W * ? *)", "stand alone"),
        ("cron(0 0 32W * ? *)", "1-31"),
        ("cron(0 0 1,,2 * ? *)", "missing"),
        ("cron(*/60 0 * * ? *)", "beyond the field"),
        ("cron(0 0 1/31 * ? *)", "beyond the field"),
        ("cron(0 0 * * ? 1969)", "1970-2199"),
        ("cron(0 0 * * ? 2200)", "1970-2199"),
        ("cron(0 0 * * ? 2030-2027)", "years do not begin again"),
        ("cron(0 0 * *)", "4 fields"),
        ("cron(0 0 0 1 1 ? 2026)", "7 fields"),
        ("cron()", "0 fields"),
        ("cron(0 0 * * ? *", "write cron("),
        ("cron 0 0 * * ? *)", "write cron("),
        ("Cron(0 0 * * ? *)", "lower case"),
        ("every(5 minutes)", "rate(5 minutes)"),
        ("rate(1 hours)", "write rate(1 hour)"),
        ("rate(5 minute)", "write rate(5 minutes)"),
        ("rate(0 minutes)", "positive"),
        ("rate(-5 minutes)", "positive"),
        ("rate(1.5 hours)", "positive"),
        ("rate(5 weeks)", "minutes, hours or days"),
        ("rate(30 seconds)", "minutes, hours or days"),
        ("rate(5minutes)", "rate(5 minutes)"),
        ("rate()", "rate(5 minutes)"),
        ("at(2026-02-29T00:00:00)", "a date that exists"),
        ("at(2026-12-31T24:00:00)", "a date that exists"),
        ("at(2026-12-31)", "such as at(2026-12-31T23:59:00)"),
        ("at(2026-12-31T23:59)", "such as at(2026-12-31T23:59:00)"),
        ("at(2026-12-31T23:59:00Z)", "without an offset"),
        ("at(2200-01-01T00:00:00)", "1970 to 2199"),
    ],
)
def test_what_aws_would_refuse_is_refused_first(text: str, said: str) -> None:
    assert said in refusal(text)


@given(
    st.one_of(
        st.text(max_size=60),
        st.text(alphabet="0123456789 *?,-/LW#@()cronateJANMON", max_size=60),
        st.lists(st.text(alphabet="0129*?,-/LW#AMNO", min_size=1, max_size=6), min_size=5, max_size=6).map(" ".join),
    )
)
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    try:
        expression = parse(text)
    except Rejected:
        assert "write" in refusal(text) or "put the zone" in refusal(text)
    else:
        assert parse(expression.text) == expression
