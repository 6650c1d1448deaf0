# What a server says of jump patches, for walk.py and walk_lldb.py.
import re

def ask(monitor):
    """Gives what the command DERIVE does; monitor runs a command of the server."""
    regions = []
    for line in monitor('jump-patch list').splitlines():
        match = re.match(r'(0x[0-9a-f]+) (\w+)(\+0x[0-9a-f]+)?: ', line)
        if not match:
            continue
        shown = monitor('jump-patch show ' + match.group(1))
        regions.append({'Function': match.group(2), 'Site': int(match.group(1), 16),
                        'StandsIn': 'stands in for the function' in shown,
                        'Length': int(re.search(r', (\d+) bytes replaced', shown).group(1)),
                        'Instructions': [{'Address': int(address, 16), 'Row': row, 'Confidence': ''} for address, row in
                                         re.findall(r'^  (0x[0-9a-f]+) \(0x[0-9a-f]+\) (.*)$', shown, re.M)]})
    return {'Regions': regions}
