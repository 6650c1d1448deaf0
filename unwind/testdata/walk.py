# Runs in gdb. Steps through every instruction of every stub and hook of the
# program patches.c, and compares the backtrace with that at the site.
#   PROGRAM ARGUMENTS  the program
#   SERVER             the address of a server that has started it and describes
#                      the stubs; else gdb starts it, and
#   DERIVE             is a command that makes the image of a process,
#   IMAGE              its file, and LOAD=0 says to walk without it
#   ATTACH             the process to attach to, instead of starting one
#   SETUP              commands for gdb, one a line
#   LATE=1             the program makes each patch just before it is used
#   UNPATCHED=1        it undoes all of them at the end, and runs again
#   HOOK               instructions of a hook to step through; the rest is run
#   SIGNAL=1           a signal handler is entered at each instruction of a stub
import gdb, json, os, subprocess, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import patchlist

REGISTERS = ['rsp', 'rbx', 'rbp', 'r12', 'r13', 'r14', 'r15']
WORD = gdb.lookup_type('unsigned long')

def run(command):
    return gdb.execute(command, to_string=True)

SERVER = os.environ.get('SERVER')

def step():
    """Steps. The trap flag that a pushf within a step saves a server hides."""
    run('stepi')
    flags = int(gdb.newest_frame().read_register('eflags').cast(WORD))
    if flags & 0x100:
        if SERVER:
            raise gdb.GdbError('the trap flag is set at %#x' % gdb.newest_frame().pc())
        run('set $eflags = %d' % (flags & ~0x100))

def chain():
    """Name, pc, registers and type of each frame."""
    frames = []
    try:
        frame = gdb.newest_frame()
        while frame is not None and len(frames) < 40:
            values = []
            for register in REGISTERS:
                try:
                    values.append(int(frame.read_register(register).cast(WORD)))
                except gdb.error:
                    values.append(None)
            frames.append((frame.name(), frame.pc(), tuple(values), frame.type()))
            frame = frame.older()
    except gdb.error as error:
        frames.append((str(error), 0, (), None))
    return frames

for command in ['pagination off', 'confirm off', 'width 0', 'debuginfod enabled off', 'breakpoint pending off',
                'startup-with-shell off', 'print thread-events off']:
    try:
        run('set ' + command)
    except gdb.error:
        pass
for command in os.environ.get('SETUP', '').splitlines():
    run(command)
run('handle SIGUSR1 nostop noprint pass')
run('file ' + os.environ['PROGRAM'])
if SERVER:
    run('target remote ' + SERVER)
    run('tbreak marker')
    run('continue')
elif 'ATTACH' in os.environ:
    run('attach ' + os.environ['ATTACH'])
else:
    run('set args ' + os.environ.get('ARGUMENTS', ''))
    run('tbreak marker')
    run('run')
pid = gdb.selected_inferior().pid

def ask_server():
    return patchlist.ask(lambda command: run('monitor ' + command))

if SERVER:
    summary = ask_server()
else:
    derived = subprocess.run([os.environ['DERIVE'], str(pid)], env=dict(os.environ, UNWIND_TEST_DERIVE=os.environ['IMAGE']),
                             stdout=subprocess.PIPE, check=True)
    summary = json.loads(derived.stdout)
    if os.environ.get('LOAD', '1') == '1':
        run('add-symbol-file %s -o %d' % (summary['File'], summary['Base']))

def describe():
    regions.clear()
    for region in summary['Regions']:
        for instruction in region['Instructions']:
            regions[instruction['Address']] = (region, instruction)

regions = {}
describe()
stubs = [m for m in open('/proc/%d/maps' % pid).read().splitlines()]
anonymous = []
for line in stubs:
    fields = line.split()
    if 'x' in fields[1] and len(fields) < 6:
        anonymous.append([int(x, 16) for x in fields[0].split('-')])

def in_stub(pc):
    return any(start <= pc < end for start, end in anonymous)

report, seen = [], []
for case in json.loads(os.environ['CASES']):
    if os.environ.get('LATE') == '1':
        run('tbreak marker')
        run('continue')
        summary = ask_server()
        describe()
    patch = next(r for r in summary['Regions'] if r['Function'] == case)
    site = patch['Site']
    result = {'Case': case, 'Stub': [0, 0], 'Hook': [0, 0], 'Signal': [0, 0], 'Wrong': []}
    report.append(result)
    run('tbreak *%d' % site)
    run('continue')
    if gdb.newest_frame().pc() != site:
        result['Wrong'].append('the site %#x was not reached, but %#x' % (site, gdb.newest_frame().pc()))
        break
    callers = chain()[1:]
    function = chain()[0][0]
    seen.append((case, site, callers))

    def judge(frames, inside):
        if len(frames) <= len(callers) or frames[-len(callers):] != callers:
            return 'callers differ'
        name = frames[-len(callers) - 1][0]
        if not name or not (name == function or name.startswith(function) and name.endswith('@jump-patch') or not inside and patch['StandsIn'] and name.startswith('hook_') or name == 'shared@jump-patch'):
            return 'the function is ' + str(name)
        if name == function and len(frames) == len(callers) + 1 and inside:
            return 'the stub has no frame'
        if inside and not (frames[0][0] or '').endswith('@jump-patch'):
            return 'the stub is ' + str(frames[0][0])
        return ''

    hook, after_call = 0, 0
    for _ in range(600):
        step()
        frame = gdb.newest_frame()
        pc = frame.pc()
        inside = in_stub(pc)
        if not inside and not site <= pc < site + patch['Length'] and (frame.name() == function or pc == callers[0][1]):
            break
        where = 'Stub' if inside else 'Hook'
        if inside:
            hook, after_call = 0, pc + frame.architecture().disassemble(pc)[0]['length']
        else:
            hook += 1
        wrong = judge(chain(), inside)
        result[where][1 if wrong else 0] += 1
        if wrong:
            row = regions.get(pc, (None, {'Row': 'no row', 'Confidence': ''}))[1]
            result['Wrong'].append('%s %#x (site %#x) %s: %s %s\n%s\n%s\n%s' % (
                where, pc, site, wrong, row['Confidence'], row['Row'], run('x/i $pc').strip(), run('bt 9'), run('p $rsp')))
        if hook == int(os.environ.get('HOOK', '0')) and hook > 0:
            run('tbreak *%d' % after_call)
            run('continue')
            frames = chain()
            wrong = judge(frames, True)
            result['Stub'][1 if wrong else 0] += 1
            hook, after_call = 0, 0
        if inside and os.environ.get('SIGNAL') == '1' and not wrong:
            run('queue-signal SIGUSR1')
            run('stepi')
            frames = chain()
            wrong = judge(frames, False)
            if not wrong and (frames[0][0] != 'on_signal' or frames[1][3] != gdb.SIGTRAMP_FRAME):
                wrong = 'this is no signal handler'
            result['Signal'][1 if wrong else 0] += 1
            if wrong:
                result['Wrong'].append('signal at %#x: %s\n%s' % (pc, wrong, run('bt 9')))
            run('tbreak *%d' % pc)
            run('continue')
    else:
        result['Wrong'].append('the stub was not left')
if os.environ.get('UNPATCHED') == '1':
    run('tbreak marker')
    run('continue')
    left = run('monitor jump-patch list') + run('info sharedlibrary')
    for case, site, callers in seen:
        result = {'Case': case + ' undone', 'Stub': [0, 0], 'Hook': [0, 0], 'Signal': [0, 0], 'Wrong': []}
        report.append(result)
        if '@jump-patch' in left or 'jump-patches' in left or case in left:
            result['Wrong'].append('it is still known: ' + left)
        run('tbreak *%d' % site)
        run('continue')
        frames = chain()
        for _ in range(3):
            # The callers' registers are others than before; where they are is not,
            # but for main, which has called from another place.
            wrong = frames[0][0] != case or len(frames) != len(callers) + 1 or any(
                f[0] != c[0] or f[1] != c[1] and f[0] != 'main' for f, c in zip(frames[1:], callers))
            result['Stub'][1 if wrong else 0] += 1
            if wrong:
                result['Wrong'].append('%#x in %s: %s' % (frames[0][1], case, run('bt 9')))
            step()
            if gdb.newest_frame().name() != case:
                break
            frames = chain()
gdb.execute('kill')
open(os.environ['REPORT'], 'w').write(json.dumps(report))
