/* The shared object that tls loads while it runs.  */
__thread char plugin_padding[4000];
__thread int plugin_variable = 55;

int *plugin_address(void)
{
	return &plugin_variable;
}
