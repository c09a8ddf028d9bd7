/* Is a shared object, but no sprocket. */
int not_a_sprocket(void);

int not_a_sprocket(void)
{
    return 0;
}
