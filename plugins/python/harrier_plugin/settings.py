"""Settings: one YAML document, read strictly, with line and column in every message."""

import yaml

from .errors import HunterError


def decode(text, fields, file, line):
    """Reads text onto fields (name -> (type, default)). The error is BAD_CONFIG and never shows a value, which could be a secret."""

    def bad(mark, message):
        where = f"line {mark.line + line}, column {mark.column + 1}: " if mark is not None else ""
        return HunterError("BAD_CONFIG", where + message, op="settings", source=file)

    try:
        root = yaml.compose(text.decode("utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        raise bad(None, "the settings are no UTF-8") from None
    except yaml.MarkedYAMLError as e:
        raise bad(e.problem_mark, f"no YAML: {e.problem}") from None
    except yaml.YAMLError:
        raise bad(None, "the settings are no YAML") from None
    out = {name: default for name, (_, default) in fields.items()}
    seen = set()
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise bad(root.start_mark, "the settings must be names with values")
    for key, node in root.value if root is not None else ():
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if name not in fields:
            raise bad(key.start_mark, f"unknown setting {name!r}; known are {', '.join(sorted(fields))}")
        if name in seen:
            raise bad(key.start_mark, f"{name} is there twice")
        seen.add(name)
        try:
            value = yaml.SafeLoader("").construct_document(node)
        except yaml.YAMLError:
            raise bad(node.start_mark, f"{name} cannot be read") from None
        kind = fields[name][0]
        if not isinstance(value, kind) or isinstance(value, bool) and kind is not bool:
            raise bad(node.start_mark, f"{name} must be of type {kind.__name__}")
        out[name] = value
    for name, value in out.items():
        if value is ...:
            raise bad(None, f"{name} is missing")
    return out
