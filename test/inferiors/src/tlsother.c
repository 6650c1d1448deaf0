/* The shared object that tls loads when it has unloaded tlsplugin.  */
__thread char other_padding[4000];
__thread int other_variable = 66;

int *other_address(void)
{
	return &other_variable;
}
