r"""Filters: conditions on the columns of rows, as `featurize search --where` takes them.

    filter     = both, { "OR", both } ;
    both       = one, { "AND", one } ;
    one        = { "NOT" }, ( "(", filter, ")" | predicate ) ;
    predicate  = column, ( ( "=" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ), value
                         | [ "NOT" ], "IN", "(", value, { ",", value }, ")"
                         | [ "NOT" ], "LIKE", text
                         | [ "NOT" ], "BETWEEN", value, "AND", value
                         | "IS", [ "NOT" ], "NULL" ) ;
    column     = ( letter | "_" ), { letter | digit | "_" } | '"', { character | '""' }, '"' ;
    value      = number | text | "TRUE" | "FALSE" ;
    number     = [ "+" | "-" ], ( digits, [ ".", [ digits ] ] | ".", digits ),
                 [ ( "e" | "E" ), [ "+" | "-" ], digits ] ;
    text       = "'", { character | "''" }, "'" ;

Keywords may be written in any case; names of columns and values are compared as they are written.
A column that is called like a keyword is written in double quotes. `<>` is `!=`.

Nulls: as in SQL, a comparison with a null is neither true nor false, and a row is selected only
where the whole condition is true. So neither `label = 'x'` nor `label != 'x'`, `NOT label = 'x'` or
`label NOT IN ('x')` selects a row without label: write `label != 'x' OR label IS NULL`.

Numbers: integers and decimals are compared exactly with any number; for binary floating point, the
number becomes the nearest of the column's type. NaN is no null: it differs from every number
(`score != 1` selects it) and is not less, greater or equal. A text column compared with a number is
read as numbers: ASCII digits with sign, point and exponent, spaces around them aside (` 12 `, `1e3`
and `007` are numbers; ``, `1,000`, `inf`, `nan`, `0x10` and other digits are not), exact up to 20
digits before and 18 behind the point. What is no number counts as null, and is counted. A text
compared with a column of numbers must be a number.

Dates and times are texts: `'2026-05-31'`, `'2026-05-31 14:30:00'`; one without a zone is in that of
its column. TRUE is greater than FALSE. Texts are compared by code points; LIKE matches the whole
text, case counts, `%` is any text, `_` any character, and `\` stands before a `%`, `_` or `\` that
is meant. Lists, structs, binary data and times of day can only be asked for NULL.

Limits: 100,000 characters, 100 parentheses within each other, 10,000 values in an IN, numbers of
308 digits; patterns of 1,000 characters with 20 times `%`.
"""

from downstream.filters.filter import Filter, Selection

__all__ = ["Filter", "Selection"]
