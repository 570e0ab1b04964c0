"""Words of libraries that no reason may have: names of exceptions, of files of code, and what Python prints."""

import re

FOREIGN = re.compile(
    r"Traceback|\w*Error\b|Exception|::|\.cpp|\.py\b|ASSERT|NoneType|\barrays?\b|\bcolumn\b|\bobject\b|'[\w./]+'|\[|\bNone\b"
)
