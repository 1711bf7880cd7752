"""What a CloudTrail record of each operation has, by names: `../facts/cloudtrail.txt`, and how a record differs from it."""

import pathlib
import re

PATH = pathlib.Path(__file__).parent.parent / "facts" / "cloudtrail.txt"


def siblings(tokens):
    """Names up to a closing brace or the end: {name: (is optional, names inside)}."""
    found = {}
    while tokens and tokens[0] != "}":
        name, marks = re.fullmatch(r"(\w+)([?\[\]]*)", tokens.pop(0)).groups()
        inside = {}
        if tokens and tokens[0] == "{":
            tokens.pop(0)
            inside = siblings(tokens)
            tokens.pop(0)
        found[name] = ("?" in marks, inside)
    return found


def names(cell):
    return siblings(re.findall(r"\w+[?\[\]]*|[{}]", cell))


OPERATIONS, IDENTITIES = {}, {}
for _line in PATH.read_text().splitlines():
    _cells = [cell.strip() for cell in _line.split("|")]
    if re.match(r"\w", _line):
        _name, _plane, _parameters, _elements, _additional, _resources = _cells
        OPERATIONS[_name] = (_plane == "read", names(_parameters), names(_elements), names(_additional), re.findall(r"key|alias", _resources))
    elif _line.startswith("@"):
        IDENTITIES[_cells[0][1:]] = names(_cells[1])


def differences(place, wanted, value, whole=True):
    """Where the members of an object are others than wanted; of a failure not all need be there."""
    if isinstance(value, list):
        return [found for item in value for found in differences(place, wanted, item, whole)]
    value = value or {}
    if not isinstance(value, dict):
        return [f"{place} is {value!r}"]
    wrong = [f"{place}.{name} does not belong there" for name in value.keys() - wanted.keys()]
    for name, (optional, inside) in wanted.items():
        if name not in value:
            wrong += [f"{place}.{name} is missing"] if whole and not optional else []
        elif inside:
            wrong += differences(f"{place}.{name}", inside, value[name], whole)
    return wrong


def wrong(event):
    """What is wrong with the record of a request to the key service."""
    read_only, parameters, elements, additional, resources = OPERATIONS[event["eventName"]]
    failed = "errorCode" in event
    copy = event["userIdentity"].get("type") == "AWSAccount"
    found = differences("requestParameters", parameters, event["requestParameters"], not failed)
    found += differences("responseElements", {} if failed else elements, event["responseElements"])
    found += differences("additionalEventData", additional, event.get("additionalEventData"), not failed)
    found += differences("userIdentity", IDENTITIES[event["userIdentity"].get("type", "")], event["userIdentity"])
    if event["readOnly"] != read_only:
        found.append(f"readOnly is {event['readOnly']}")
    kinds = [one["ARN"].split(":")[5].split("/")[0] for one in event["resources"]]
    # One key that is named twice stands there once; another account's copy says less, and a refusal what it knows, which
    # may be an alias alone.
    fits = set(kinds) <= {"key", "alias"} if failed else set(kinds) <= set(resources) if copy else set(kinds) == set(resources)
    if len(kinds) > len(resources) or not fits:
        found.append(f"resources are {kinds}, not {resources}")
    return found
