# Perl's Sys::Virt: the old listing calls, volumes, transfer and errors

use strict;
use warnings;
use JSON::PP;
use Sys::Virt;
use Sys::Virt::StoragePool;
use Sys::Virt::StorageVol;
use Sys::Virt::Stream;

my $json  = JSON::PP->new->canonical->ascii->allow_nonref;
my $work  = $ENV{COMPAT_WORK};
my $mebi  = 1 << 20;
$| = 1;

sub emit {
    my ($label, %outcome) = @_;
    print $json->encode({ step => $label, %outcome }), "\n";
}

# Does one step and prints its result or error.
sub step {
    my ($label, $call) = @_;
    my $result = eval { $call->() };
    if (my $error = $@) {
        emit($label, err => ref $error ? { code => $error->code, domain => $error->domain, message => $error->message, level => $error->level } : "$error");
        return;
    }
    my $shown = ref $result eq "ARRAY" ? [ sort @$result ] : ref $result && ref $result ne "HASH" ? ref $result : $result;
    emit($label, ok => $shown);
    return $result;
}

sub names { [ map { $_->get_name } @_ ] }

my $c = Sys::Virt->new(uri => $ENV{COMPAT_URI});
my $document = "<pool type='dir'><name>p</name><target><path>$work/p</path></target></pool>";

step("number of pools", sub { $c->num_of_storage_pools });
step("list pools", sub { names($c->list_storage_pools) });
step("lookup of an unknown pool", sub { $c->get_storage_pool_by_name("nosuch") });
my $pool = step("define", sub { $c->define_storage_pool($document) });
step("number of defined pools", sub { $c->num_of_defined_storage_pools });
step("names of defined pools", sub { [ $c->list_defined_storage_pool_names(10) ] });
step("list defined pools", sub { names($c->list_defined_storage_pools) });
step("build", sub { $pool->build });
step("start", sub { $pool->create });
step("start again", sub { $pool->create });
step("list pools again", sub { names($c->list_storage_pools) });
step("names of pools", sub { [ $c->list_storage_pool_names(10) ] });
step("all pools", sub { names($c->list_all_storage_pools) });
step("is active", sub { $pool->is_active });
step("is persistent", sub { $pool->is_persistent });
step("info", sub { $pool->get_info });
step("document", sub { $pool->get_xml_description });
step("autostart on", sub { $pool->set_autostart(1) });
step("autostart", sub { $pool->get_autostart });
step("refresh", sub { $pool->refresh });
my $volume = step("create a volume", sub { $pool->create_volume("<volume><name>v</name><capacity>$mebi</capacity><allocation>0</allocation></volume>") });
my $clone = step("clone", sub { $pool->clone_volume("<volume><name>w</name></volume>", $volume) });
step("number of volumes", sub { $pool->num_of_storage_volumes });
step("names of volumes", sub { [ $pool->list_storage_vol_names(10) ] });
step("list volumes", sub { names($pool->list_volumes) });
step("all volumes", sub { names($pool->list_all_volumes) });
step("volume by name", sub { $pool->get_volume_by_name("v")->get_key });
step("volume by path", sub { $c->get_storage_volume_by_path("$work/p/v")->get_name });
step("volume by key", sub { $c->get_storage_volume_by_key("$work/p/v")->get_name });
step("unknown volume", sub { $pool->get_volume_by_name("nosuch") });
step("pool of volume", sub { $c->get_storage_pool_by_volume($volume)->get_name });
step("pool by uuid", sub { $c->get_storage_pool_by_uuid($pool->get_uuid)->get_name });
step("pool by target path", sub { $c->get_storage_pool_by_target_path("$work/p")->get_name });
step("volume info", sub { $volume->get_info });
step("volume info physical", sub { $volume->get_info(1) });
step("volume document", sub { $volume->get_xml_description });
step("volume path", sub { $volume->get_path });
step("resize", sub { $volume->resize(2 * $mebi) });
step("wipe", sub { $volume->wipe });
step("wipe pattern", sub { $volume->wipe_pattern(Sys::Virt::StorageVol::WIPE_ALG_ZERO) });

step("upload", sub {
    my $stream = $c->new_stream;
    $volume->upload($stream, 0, 0);
    my $sent = $stream->send("x" x 1000, 1000);
    $stream->finish;
    $sent;
});
step("download", sub {
    my $stream = $c->new_stream;
    $volume->download($stream, 0, 1500);
    my $got = "";
    while ((my $count = $stream->recv(my $data, 1000)) > 0) { $got .= substr $data, 0, $count }
    $stream->finish;
    length($got) . " " . substr($got, 998, 4) =~ s/\0/0/gr;
});
step("find sources", sub { $c->find_storage_pool_sources("netfs", "<source/>") });
step("capabilities begin", sub { substr $c->get_storage_pool_capabilities, 0, 24 });
step("delete a volume", sub { $volume->delete });
step("delete another", sub { $clone->delete });
step("stop", sub { $pool->destroy });
step("delete", sub { $pool->delete });
step("undefine", sub { $pool->undefine });
step("info of one that is gone", sub { $pool->get_info });
my $transient = step("create", sub { $c->create_storage_pool($document) });
mkdir "$work/p";
$transient = step("create with directory", sub { $c->create_storage_pool($document) });
step("stop transient", sub { $transient->destroy });
step("is secure", sub { $c->is_secure });
step("is encrypted", sub { $c->is_encrypted });
