/* The shared object that tls is linked with.  */
__thread char linked_padding[24];
__thread int linked_variable = 44;

int *linked_address(void)
{
	return &linked_variable;
}
