/* The shared object that library loads while it runs.  */
int plugin_apply(int (*call)(int), int value)
{
	return 2 * call(value);
}
