/* The shared object that library is linked with.  */
int linked_add(int a, int b)
{
	return a + b;
}
