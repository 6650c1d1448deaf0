set confirm off
set pagination off
set width 0
set debuginfod enabled off
set sysroot /
set trace-commands on
target remote 127.0.0.1:$port
break ready
continue
info threads
break add
continue
backtrace
print amount
delete
watch total
continue
continue
continue
delete
catch fork
continue
catch vfork
continue
delete
continue
backtrace
print nowhere
print $_siginfo._sifields._sigfault.si_addr
x/i $pc
info registers rip rsp fs_base
thread apply all -q backtrace 1
continue
