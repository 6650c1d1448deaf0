# Runs in lldb; does what walk.py does in gdb.
import json, os, re, subprocess, sys, traceback
import lldb
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import patchlist

SERVER = os.environ.get('SERVER')

REGISTERS = ['rsp', 'rbx', 'rbp', 'r12', 'r13', 'r14', 'r15']

def name(frame):
    return frame.GetFunctionName() or frame.GetSymbol().GetName()

def chain(thread):
    frames = []
    for frame in thread:
        if len(frames) == 40:
            break
        if not frame.IsInlined():
            frames.append((name(frame), frame.GetPC(), tuple(int(frame.FindRegister(r).GetValue() or '-1', 16) for r in REGISTERS)))
    return frames

def launch(target):
    process = target.LaunchSimple(None, None, os.getcwd())
    derived = subprocess.run([os.environ['DERIVE'], str(process.GetProcessID())], stdout=subprocess.PIPE, check=True,
                             env=dict(os.environ, UNWIND_TEST_DERIVE=os.environ['IMAGE'], PYTHONPATH=''))
    summary = json.loads(derived.stdout)
    if os.environ.get('LOAD', '1') == '1':
        module = target.AddModule(summary['File'], None, None)
        target.SetModuleLoadAddress(module, summary['Base'])
    return process, summary

def walk(debugger):
    target = debugger.CreateTarget(os.environ['PROGRAM'])

    def run(command):
        result = lldb.SBCommandReturnObject()
        process = target.GetProcess()
        context = lldb.SBExecutionContext(process.GetSelectedThread()) if process.IsValid() else lldb.SBExecutionContext(target)
        debugger.GetCommandInterpreter().HandleCommand(command, context, result)
        return (result.GetOutput() or '') + (result.GetError() or '')

    debugger.SetAsync(False)
    debugger.SetSelectedTarget(target)
    run('process handle -s false -n false -p true SIGUSR1')
    target.BreakpointCreateByName('marker').SetOneShot(True)
    if SERVER:
        said = run('gdb-remote ' + SERVER)
        process = target.GetProcess()
        if process.GetState() != lldb.eStateStopped:
            raise Exception('the server is not reached: ' + said)
        process.Continue()

        def monitor(command):
            said = run('process plugin packet monitor ' + command)
            return bytes.fromhex(re.search(r'response: ([0-9a-f]*)', said).group(1)).decode()
        summary = patchlist.ask(monitor)
    else:
        process, summary = launch(target)
    instructions = {i['Address']: (r, i) for r in summary['Regions'] for i in r['Instructions']}
    anonymous = []
    for line in open('/proc/%d/maps' % process.GetProcessID()):
        fields = line.split()
        if 'x' in fields[1] and len(fields) < 6:
            anonymous.append([int(x, 16) for x in fields[0].split('-')])

    report = []
    for case in json.loads(os.environ['CASES']):
        patch = next(r for r in summary['Regions'] if r['Function'] == case)
        site = patch['Site']
        result = {'Case': case, 'Stub': [0, 0], 'Hook': [0, 0], 'Signal': [0, 0], 'Wrong': []}
        report.append(result)
        breakpoint = target.BreakpointCreateByAddress(site)
        process.Continue()
        target.BreakpointDelete(breakpoint.GetID())
        thread = process.GetSelectedThread()
        if thread.GetFrameAtIndex(0).GetPC() != site:
            result['Wrong'].append('the site %#x was not reached, but %#x' % (site, thread.GetFrameAtIndex(0).GetPC()))
            break
        function = name(thread.GetFrameAtIndex(0))
        callers = chain(thread)[1:]
        for _ in range(600):
            thread.StepInstruction(False)
            frame = thread.GetFrameAtIndex(0)
            flags = frame.FindRegister('eflags' if SERVER else 'rflags').GetValueAsUnsigned()
            if flags & 0x100:
                if SERVER:
                    raise Exception('the trap flag is set at %#x' % frame.GetPC())
                error = lldb.SBError()
                if not frame.FindRegister('rflags').SetValueFromCString('%#x' % (flags & ~0x100), error):
                    raise Exception('the trap flag stays: ' + str(error))
            frame = thread.GetFrameAtIndex(0)
            pc = frame.GetPC()
            inside = any(start <= pc < end for start, end in anonymous)
            if not inside and not site <= pc < site + patch['Length'] and (name(frame) == function or pc == callers[0][1]):
                break
            frames = chain(thread)
            wrong = ''
            before = frames[-len(callers) - 1][0] if len(frames) > len(callers) else None
            if before is None or frames[-len(callers):] != callers:
                wrong = 'callers differ'
            elif not before or not (before == function or before.startswith(function) and before.endswith('@jump-patch')
                                    or not inside and patch['StandsIn'] and before.startswith('hook_') or before == 'shared@jump-patch'):
                wrong = 'the function is ' + str(before)
            elif inside and not (frames[0][0] or '').endswith('@jump-patch'):
                wrong = 'the stub is ' + str(frames[0][0])
            elif inside and before == function and len(frames) == len(callers) + 1:
                wrong = 'the stub has no frame'
            where = 'Stub' if inside else 'Hook'
            result[where][1 if wrong else 0] += 1
            if wrong:
                row = instructions.get(pc, (None, {'Row': 'no row', 'Confidence': ''}))[1]
                result['Wrong'].append('%s %#x (site %#x) %s: %s %s\n%s\n%s' % (
                    where, pc, site, wrong, row['Confidence'], row['Row'], run('x/i $pc'), run('bt 9')))
        else:
            result['Wrong'].append('the stub was not left')
    process.Kill()
    open(os.environ['REPORT'], 'w').write(json.dumps(report))

def __lldb_init_module(debugger, session):
    try:
        walk(debugger)
    except Exception:
        # lldb may have taken the place of the other streams.
        os.write(1, traceback.format_exc().encode())
